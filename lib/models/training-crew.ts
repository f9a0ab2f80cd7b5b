/**
 * The threads of a training: the main thread and workers take strands from one counter in shared memory until none is left. A worker that is
 * slow to start is not waited for; one that fails ends the training.
 *
 * Trap: a strand is handed out exactly once a call and counted when done, so a worker that wakes up late takes part in the next call.
 */
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { TrainingSetup } from './training-context.ts'
import type { Precision } from './training-kernel.ts'
import { type Operation, operations, strandWork } from './training-strand.ts'

/** In a bundle the worker is a file beside this code. */
const workerFile = new URL(
  import.meta.url.endsWith('.ts') ? './training-worker.ts' : './training-worker.mjs',
  import.meta.url,
)

export const controlWords = { call: 0, next: 1, done: 2, operation: 3, precision: 4 }

export interface TrainingCrew {
  /** one operation on all strands */
  run(operation: Operation, precision?: Precision): Promise<void>
  close(): Promise<void>
}

/** @param options.signal heard before each operation, which then throws its reason */
export function openCrew(
  setup: TrainingSetup,
  { threads, signal }: { threads: number; signal?: AbortSignal },
): TrainingCrew {
  const strands = setup.shape.strands.length - 1
  const control = new Int32Array(setup.memory.buffer, setup.layout.control, 5)
  const takeStrands = strandTaker(setup)
  // nothing to take before the first call
  Atomics.store(control, controlWords.next, strands)
  let failed: Error | undefined
  let isClosed = false
  let wake: () => void = () => {}
  const fail = (error: Error): void => {
    failed ??= error
    wake()
  }
  const workers = Array.from({ length: Math.min(threads, strands) - 1 }, () => {
    const worker = new Worker(workerFile, { workerData: setup, env: {}, argv: [], execArgv: [] })
    worker.on('error', fail)
    worker.on('exit', () => {
      if (!isClosed) fail(new Error('a thread of the training ended early'))
    })
    return worker
  })
  return {
    async run(operation, precision = 'double') {
      await setImmediate()
      signal?.throwIfAborted()
      Atomics.store(control, controlWords.operation, operations.indexOf(operation))
      Atomics.store(control, controlWords.precision, precision === 'single' ? 1 : 0)
      Atomics.store(control, controlWords.done, 0)
      Atomics.store(control, controlWords.next, 0)
      if (workers.length > 0) {
        Atomics.add(control, controlWords.call, 1)
        Atomics.notify(control, controlWords.call)
      }
      takeStrands()
      for (;;) {
        if (failed !== undefined) throw failed
        const done = Atomics.load(control, controlWords.done)
        if (done === strands) return
        const failure = new Promise<void>((resolve) => {
          wake = resolve
        })
        await Promise.race([Atomics.waitAsync(control, controlWords.done, done).value, failure])
      }
    },
    async close() {
      isClosed = true
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}

/** Works on strands as long as there are some to take. */
export function strandTaker(setup: TrainingSetup): () => void {
  const strands = setup.shape.strands.length - 1
  const control = new Int32Array(setup.memory.buffer, setup.layout.control, 5)
  const work = strandWork(setup)
  return () => {
    for (;;) {
      const strand = Atomics.add(control, controlWords.next, 1)
      if (strand >= strands) return
      const operation = operations[Atomics.load(control, controlWords.operation)]!
      work(strand, operation, Atomics.load(control, controlWords.precision) === 1 ? 'single' : 'double')
      Atomics.add(control, controlWords.done, 1)
      Atomics.notify(control, controlWords.done)
    }
  }
}
