/** The list of steps on a terminal, drawn over itself. What comes from data is made visible, never obeyed. */
import { printable } from '../job/object-key.ts'
import { duration, paceOf, type StepProgress, shareOf } from './progress.ts'

export interface LiveStream {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

const pauseMs = 100
const tickMs = 500
const barWidth = 20
const marks = { running: '>', done: 'x', failed: '!' } as const

export interface LiveLines {
  draw(): void
  /** a line that stays, above the list */
  tell(line: string): void
  end(): void
}

/** @param steps what there is to show: looked at whenever it is drawn, twice a second at least */
export function openLive(
  stream: LiveStream,
  { steps, clock }: { steps: readonly StepProgress[]; clock(): number },
): LiveLines {
  let drawn = 0
  let last = Number.NEGATIVE_INFINITY
  const paint = (above = '') => {
    const now = clock()
    last = now
    const width = Math.max(20, (stream.columns || 80) - 1)
    const lines = steps.map((step) => lineOf(step, now).slice(0, width))
    const up = drawn > 0 ? `\u001b[${drawn}A` : ''
    stream.write(`${up}${above}${lines.map((line) => `\r\u001b[2K${line}\n`).join('')}`)
    drawn = lines.length
  }
  const ticking = setInterval(() => paint(), tickMs)
  ticking.unref()
  return {
    draw() {
      if (clock() - last >= pauseMs) paint()
    },
    tell: (line) => paint(`\r\u001b[J${printable(line)}\n`),
    end() {
      clearInterval(ticking)
      paint()
    },
  }
}

function lineOf(step: StepProgress, now: number): string {
  const end = step.status === 'running' ? now : step.ended
  const elapsed = duration((end - step.began) / 1000)
  const head = `[${marks[step.status]}] ${step.name.padEnd(14)}`
  if (step.status !== 'running' || step.total === 0) return printable(`${head} ${elapsed}`)
  const filled = Math.round(shareOf(step) * barWidth)
  const bar = '#'.repeat(filled).padEnd(barWidth, '.')
  const percent = `${Math.floor(shareOf(step) * 100)} %`.padStart(5)
  const pace = paceOf(step)
  return printable(
    `${head} ${bar} ${percent}  ${elapsed}${pace === '' ? '' : `, ${pace}`}  ${step.note}`.trimEnd(),
  )
}
