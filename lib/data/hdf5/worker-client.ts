/**
 * The main thread's end of one worker: questions with a deadline, and bytes for a worker that sleeps until they come.
 * Any error but a plain refusal ends the worker: a parser that has failed once is not asked again.
 */
import { Worker } from 'node:worker_threads'
import { BadInput, isCoded } from '../../job/errors.ts'
import type { ByteSource } from '../source.ts'
import { blockState } from './blocks.ts'
import type { Hdf5Limits } from './limits.ts'
import type { FromWorker, OperationName, Operations, WorkerSetup } from './protocol.ts'

const blockBytes = 512 * 2 ** 10
const maxFetchBytes = 8 * blockBytes
const cacheBytes = 64 * 2 ** 20
/** In a bundle the worker is a file beside this code (lib/stacks/bundle-function.ts). */
const workerFile = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.mjs', import.meta.url)

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
  timer: NodeJS.Timeout
}

export interface WorkerClient {
  ask<Name extends OperationName>(
    name: Name,
    ...args: Parameters<Operations[Name]>
  ): Promise<ReturnType<Operations[Name]>>
  close(): Promise<void>
}

export function startWorker(source: ByteSource, limits: Hdf5Limits): WorkerClient {
  const signal = new SharedArrayBuffer(4)
  const bytes = new SharedArrayBuffer(maxFetchBytes)
  const setup: WorkerSetup = {
    place: source.place,
    size: source.size,
    limits,
    ...(source.descriptor === undefined
      ? { blocks: { signal, bytes, blockBytes, cacheBytes } }
      : { descriptor: source.descriptor }),
  }
  const worker = new Worker(workerFile, {
    workerData: setup,
    // nothing of the process's environment or arguments is of use to a parser of untrusted bytes
    env: {},
    argv: [],
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 2048 },
  })
  const waiting = new Map<number, Waiting>()
  let next = 0
  let ended: Error | undefined
  let fetchFailure: Error | undefined

  const end = (error: Error): void => {
    ended ??= error
    for (const { reject, timer } of waiting.values()) {
      clearTimeout(timer)
      reject(error)
    }
    waiting.clear()
    void worker.terminate()
  }

  const serve = async (range: { offset: number; length: number }): Promise<void> => {
    const flag = new Int32Array(signal)
    try {
      new Uint8Array(bytes).set(await source.read(range.offset, range.length))
      Atomics.store(flag, 0, blockState.ready)
    } catch (error) {
      fetchFailure = error instanceof Error ? error : new Error(String(error))
      Atomics.store(flag, 0, blockState.failed)
    }
    Atomics.notify(flag, 0)
  }

  worker.on('message', (message: FromWorker) => {
    if ('fetch' in message) {
      void serve(message.fetch)
      return
    }
    const asked = waiting.get(message.id)
    if (asked === undefined) return
    waiting.delete(message.id)
    clearTimeout(asked.timer)
    if ('value' in message) asked.resolve(message.value)
    else if (fetchFailure !== undefined) {
      asked.reject(fetchFailure)
      end(fetchFailure)
    } else if ('refused' in message) {
      const { code, place, problem, remedy } = message.refused
      asked.reject(new BadInput(code, place, problem, remedy))
    } else {
      const error = damaged(source.place, message.crashed)
      asked.reject(error)
      end(error)
    }
  })
  worker.on('error', (error) => end(isCoded(error) ? error : damaged(source.place, error.message)))
  worker.on('exit', () => end(damaged(source.place, 'its parser ended early')))

  return {
    ask(name, ...args) {
      if (ended !== undefined) return Promise.reject(ended)
      const id = next++
      const asked = typeof args[0] === 'string' ? `${source.place}:${args[0]}` : source.place
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => end(tooSlow(asked, limits.deadline)), limits.deadline)
        waiting.set(id, {
          resolve: (value) => resolve(value as ReturnType<Operations[typeof name]>),
          reject,
          timer,
        })
        worker.postMessage({ id, operation: name, args })
      })
    },
    async close() {
      end(new Error(`${source.place} is closed`))
      await worker.terminate()
    },
  }
}

function damaged(place: string, detail: string): BadInput {
  return new BadInput(
    'HDF5_DAMAGED',
    place,
    `the HDF5 library could not read it (${detail.slice(0, 300)})`,
    'Write the file again from the program that made it, or copy it again if it was transferred',
  )
}

function tooSlow(place: string, milliseconds: number): BadInput {
  return new BadInput(
    'HDF5_DEADLINE',
    place,
    `reading did not end within ${Math.round(milliseconds / 1000)} s and was stopped`,
    'Write the file again from the program that made it; if it is only large or far away, raise the deadline',
  )
}
