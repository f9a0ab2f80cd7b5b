/**
 * Training in a thread of its own, because a run of steps lets nothing else happen on its thread: here progress, heartbeats, checkpoints and
 * signals go on meanwhile. The cells lie in shared memory; a word of shared memory asks for the state or for the end.
 *
 * Trap: the thread is asked to end and never made to. `worker.terminate()` while onnxruntime-node opens or runs a session there aborts the whole
 * process: the calls by which its native code makes tensors fail from then on, and it does not catch that. So the thread stops at the
 * next run of steps, closes its sessions, tells how it went, and ends with nothing left to do; only then is the training over here.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Provider } from '../graph/session.ts'
import { BadInput, type ErrorReport, StoreFailure } from '../job/errors.ts'
import type { Split } from './minibatches.ts'
import type { RunnerOptions } from './network-runner.ts'
import type { Trained, TrainingState } from './network-training.ts'
import type { Weight } from './state-dict.ts'
import type { EpochRecord, Schedule } from './training-schedule.ts'

/** In a bundle the worker is a file beside this code. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './network-worker.ts' : './network-worker.mjs',
  import.meta.url,
)

export interface TrainingSetup extends Omit<RunnerOptions, 'notices' | 'clock'> {
  /** as the network begins */
  weights: ReadonlyMap<string, Weight>
  split: Split
  schedule: Schedule
  from?: TrainingState
}

export interface TrainingWatch {
  onEpoch?(record: EpochRecord): void
  onSteps?(at: { epoch: number; step: number; steps: number }): void
  /** called with the state every so many milliseconds of training, and at the end of one that was stopped; training waits for nothing */
  onState?(state: TrainingState): void
  storeEvery?: number
  /** training ends at the next run of steps, with its state */
  signal?: AbortSignal
}

export interface ThreadTrained extends Trained {
  provider: Provider
}

/** What the thread is handed. */
export interface ThreadData extends TrainingSetup {
  /** one word: what is wanted */
  control: SharedArrayBuffer
}

export const wishes = { on: 0, store: 1, stop: 2 } as const

export type ThreadMessage =
  | { kind: 'epoch'; record: EpochRecord }
  | { kind: 'steps'; at: { epoch: number; step: number; steps: number } }
  | { kind: 'state'; state: TrainingState }
  | { kind: 'done'; trained: ThreadTrained }
  | { kind: 'failed'; name: string; report: ErrorReport | null; message: string }

/** @throws what trainNetwork throws, and what the watching functions throw */
export async function trainInThread(setup: TrainingSetup, watch: TrainingWatch = {}): Promise<ThreadTrained> {
  const control = new SharedArrayBuffer(4)
  const wish = new Int32Array(control)
  const data: ThreadData = { ...setup, control }
  const worker = new Worker(workerFile, { workerData: data, argv: [], execArgv: [] })
  const gone = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const stop = () => Atomics.store(wish, 0, wishes.stop)
  watch.signal?.addEventListener('abort', stop)
  if (watch.signal?.aborted) stop()
  const ended = new AbortController()
  void askForStates(wish, { every: watch.storeEvery, signal: ended.signal })
  try {
    return await outcomeOf(worker, watch)
  } finally {
    stop()
    await gone
    ended.abort()
    watch.signal?.removeEventListener('abort', stop)
  }
}

function outcomeOf(worker: Worker, watch: TrainingWatch): Promise<ThreadTrained> {
  return new Promise((resolve, reject) => {
    worker.on('error', reject)
    worker.on('exit', () => reject(new Error('the thread of the training ended early')))
    const hear = (message: ThreadMessage): void => {
      if (message.kind === 'epoch') watch.onEpoch?.(message.record)
      else if (message.kind === 'steps') watch.onSteps?.(message.at)
      else if (message.kind === 'state') watch.onState?.(message.state)
      else if (message.kind === 'done') resolve(message.trained)
      else reject(errorOf(message))
    }
    worker.on('message', (message: ThreadMessage) => {
      try {
        hear(message)
      } catch (error) {
        // of the one who watches: the training is not worth going on with
        worker.removeAllListeners('message')
        reject(error)
      }
    })
  })
}

async function askForStates(
  wish: Int32Array,
  { every, signal }: { every: number | undefined; signal: AbortSignal },
): Promise<void> {
  while (every !== undefined && !signal.aborted) {
    const isOver = await wait(every, false, { signal, ref: false }).catch(() => true)
    if (isOver) return
    // a wish to stop is not taken back
    Atomics.compareExchange(wish, 0, wishes.on, wishes.store)
  }
}

/** An error as it was thrown in the thread: of its kind again where it has a code. */
function errorOf({ name, report, message }: Extract<ThreadMessage, { kind: 'failed' }>): Error {
  if (report === null) return new Error(message)
  const { code, place, problem, remedy } = report
  return name === 'BadInput'
    ? new BadInput(code, place, problem, remedy)
    : new StoreFailure(code, place, problem, remedy)
}
