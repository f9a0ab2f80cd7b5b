/**
 * How far a job is, for who watches it: a list of steps with a bar on a terminal, plain lines where there is none, JSON lines with --json.
 * All of it goes to stderr; stdout belongs to the answer. Rates are over the whole step, which jumps less than the last second would.
 */
import { printable } from '../job/object-key.ts'
import { type LiveStream, openLive } from './live-lines.ts'
import type { RoadEvent } from './state-machine.ts'

export interface ProgressView {
  note(event: RoadEvent): void
  /** Nothing moves from here on. */
  end(): void
}

export interface StepProgress {
  name: string
  status: 'running' | 'done' | 'failed'
  /** milliseconds */
  began: number
  ended: number
  shards: number
  done: number
  total: number
  unit: string
  note: string
}

/** Every step that was begun, in the order of its first beginning. */
export interface JobProgress {
  steps: StepProgress[]
  /** @returns the step that the event changed */
  note(event: RoadEvent, now: number): StepProgress
}

export function trackProgress(): JobProgress {
  const steps: StepProgress[] = []
  const parts = new Map<StepProgress, Map<number, { done: number; total: number }>>()
  const begin = (name: string, shards: number, now: number): StepProgress => {
    const fresh = { status: 'running', began: now, ended: now, shards, done: 0, total: 0 } as const
    const found = steps.find((step) => step.name === name)
    const step: StepProgress = Object.assign(found ?? { name, unit: '', note: '', ...fresh }, fresh)
    if (found === undefined) steps.push(step)
    parts.set(step, new Map())
    return step
  }
  return {
    steps,
    note(event, now) {
      const known = steps.find((step) => step.name === event.step)
      if (event.event === 'step' && event.status === 'started' && known?.status !== 'running')
        return begin(event.step, event.shards ?? 1, now)
      const step = known ?? begin(event.step, 1, now)
      if (event.event === 'step') {
        if (event.status !== 'started') Object.assign(step, { status: event.status, ended: now })
        return step
      }
      const all = parts.get(step)!
      all.set(event.shard ?? 0, { done: event.done, total: event.total })
      const [done, total] = [...all.values()].reduce(
        ([a, b], part) => [a + part.done, b + part.total],
        [0, 0],
      )
      // shards that have not said a word yet are taken to be like the others
      return Object.assign(step, {
        done,
        total: (total / all.size) * Math.max(all.size, step.shards),
        unit: event.unit,
        note: event.note,
        ended: now,
      })
    },
  }
}

/** `1200 cells/s, 12 s left`; empty while nothing is known. */
export function paceOf({ done, total, unit, began, ended }: StepProgress): string {
  const seconds = (ended - began) / 1000
  if (done <= 0 || seconds <= 0) return ''
  const rate = done / seconds
  const left = total > done ? `${duration((total - done) / rate)} left` : ''
  const pace = unit === 'cells' ? `${rate >= 10 ? Math.round(rate) : rate.toPrecision(2)} cells/s` : ''
  return [pace, left].filter((part) => part !== '').join(', ')
}

export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export function shareOf({ done, total, status }: StepProgress): number {
  if (status === 'done') return 1
  return total > 0 ? Math.min(1, done / total) : 0
}

export function openProgress({
  json,
  stream,
  clock,
}: {
  json: boolean
  stream: LiveStream
  clock(): number
}): ProgressView {
  if (json)
    return { note: (event) => stream.write(`${printable(JSON.stringify(event))}\n`), end: () => undefined }
  const job = trackProgress()
  if (stream.isTTY) {
    const live = openLive(stream, { steps: job.steps, clock })
    return {
      note(event) {
        job.note(event, clock())
        live.draw()
      },
      end: live.end,
    }
  }
  const told = new Map<StepProgress, number>()
  return {
    note(event) {
      const step = job.note(event, clock())
      const line = event.event === 'progress' ? tenthLine(step, told) : stepLine(step, event.status)
      if (line !== undefined) stream.write(`${printable(line)}\n`)
    },
    end: () => undefined,
  }
}

function stepLine(step: StepProgress, status: 'started' | 'done' | 'failed'): string {
  if (status === 'started') return `${step.name}: started`
  return `${step.name}: ${status} after ${duration((step.ended - step.began) / 1000)}`
}

/** A line for each tenth of a step. */
function tenthLine(step: StepProgress, told: Map<StepProgress, number>): string | undefined {
  const tenth = Math.floor(shareOf(step) * 10)
  if (step.total === 0 || told.get(step) === tenth || tenth === 0) return undefined
  told.set(step, tenth)
  const pace = paceOf(step)
  return `${step.name}: ${tenth * 10} %, ${step.note}${pace === '' ? '' : `, ${pace}`}`
}
