/**
 * How far a job is, for who watches it: a list of steps with a bar on a terminal, plain lines where there is none, JSON lines with --json.
 * All of it goes to stderr; stdout belongs to the answer. Rates are over the whole step, which jumps less than the last second would.
 */
import { printable } from '../job/object-key.ts'
import { patienceMs } from './batch.ts'
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

/** @param how.signal whoever stops the job is told at once what it waits for */
export function openProgress(how: ProgressOptions): ProgressView {
  const { json, stream, signal, clock } = how
  const job = trackProgress()
  const view = json ? jsonLines(stream) : stream.isTTY ? liveList(job, { stream, clock }) : plainLines(stream)
  const stopping = () => {
    const running = job.steps.filter(({ status }) => status === 'running').map(({ name }) => name)
    if (running.length > 0) view.stopping(running)
  }
  signal.addEventListener('abort', stopping, { once: true })
  return {
    note: (event) => view.note(event, job.note(event, clock())),
    end() {
      signal.removeEventListener('abort', stopping)
      view.end()
    },
  }
}

export interface ProgressOptions {
  json: boolean
  stream: LiveStream
  signal: AbortSignal
  clock(): number
}

interface View {
  note(event: RoadEvent, step: StepProgress): void
  stopping(running: readonly string[]): void
  end(): void
}

function jsonLines(stream: LiveStream): View {
  const write = (event: object) => stream.write(`${printable(JSON.stringify(event))}\n`)
  return { note: write, stopping: (steps) => write({ event: 'stopping', steps }), end: () => undefined }
}

function liveList(
  { steps }: JobProgress,
  { stream, clock }: Pick<ProgressOptions, 'stream' | 'clock'>,
): View {
  const live = openLive(stream, { steps, clock })
  return { note: live.draw, stopping: (running) => live.tell(stoppingLine(running)), end: live.end }
}

function plainLines(stream: LiveStream): View {
  const told = new Map<StepProgress, number>()
  const write = (line: string) => stream.write(`${printable(line)}\n`)
  return {
    note(event, step) {
      const line = event.event === 'progress' ? tenthLine(step, told) : stepLine(step, event.status)
      if (line !== undefined) write(line)
    },
    stopping: (running) => write(stoppingLine(running)),
    end: () => undefined,
  }
}

function stoppingLine(running: readonly string[]): string {
  return `stopping: ${running.join(', ')} may take ${patienceMs / 1000} s to keep what it has done; Ctrl-C again ends it at once`
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
