/**
 * Synchronous bytes for the worker: straight from a descriptor, or in blocks fetched by the main thread while this
 * thread sleeps on a shared flag. Reads that go on where the last one ended fetch twice as much each time, so that a
 * scattered look at the header stays small and a long column needs few requests.
 */
import { readSync } from 'node:fs'
import type { WorkerSetup } from './protocol.ts'

export interface SyncBytes {
  /** Copies exactly `target.length` bytes at `offset`; the caller has checked that they lie within the file. */
  readInto(target: Uint8Array, offset: number): void
}

const maxRun = 8

export const blockState = { waiting: 0, ready: 1, failed: 2 } as const

export function openSyncBytes(
  setup: WorkerSetup,
  ask: (range: { offset: number; length: number }) => void,
): SyncBytes {
  if (setup.descriptor !== undefined) return descriptorBytes(setup.descriptor)
  if (setup.blocks === undefined) throw new Error('neither a descriptor nor blocks')
  return blockBytes(setup.blocks, setup.size, ask)
}

function descriptorBytes(descriptor: number): SyncBytes {
  return {
    readInto(target, offset) {
      let done = 0
      while (done < target.length) {
        const count = readSync(descriptor, target, done, target.length - done, offset + done)
        if (count === 0) throw new Error('the file became shorter while it was read')
        done += count
      }
    },
  }
}

function blockBytes(
  shared: NonNullable<WorkerSetup['blocks']>,
  size: number,
  ask: (range: { offset: number; length: number }) => void,
): SyncBytes {
  const { blockBytes, cacheBytes } = shared
  const signal = new Int32Array(shared.signal)
  const arrived = new Uint8Array(shared.bytes)
  const cache = new Map<number, Uint8Array>()
  const maxBlocks = Math.max(maxRun, Math.floor(cacheBytes / blockBytes))
  const lastBlock = Math.floor((size - 1) / blockBytes)
  let run = 1
  let expected = -1

  const fetchRun = (first: number): void => {
    run = first === expected ? Math.min(maxRun, run * 2) : 1
    let count = 1
    while (count < run && first + count <= lastBlock && !cache.has(first + count)) count++
    const offset = first * blockBytes
    const length = Math.min(count * blockBytes, size - offset)
    Atomics.store(signal, 0, blockState.waiting)
    ask({ offset, length })
    Atomics.wait(signal, 0, blockState.waiting)
    if (Atomics.load(signal, 0) !== blockState.ready) throw new Error('the bytes could not be fetched')
    for (let at = 0; at < length; at += blockBytes) {
      if (cache.size >= maxBlocks) cache.delete(cache.keys().next().value ?? -1)
      cache.set((offset + at) / blockBytes, arrived.slice(at, Math.min(at + blockBytes, length)))
    }
    expected = first + count
  }

  const block = (number: number): Uint8Array => {
    let bytes = cache.get(number)
    if (bytes === undefined) {
      fetchRun(number)
      bytes = cache.get(number)
      if (bytes === undefined) throw new Error('a block is missing')
    }
    return bytes
  }

  return {
    readInto(target, offset) {
      let done = 0
      while (done < target.length) {
        const number = Math.floor((offset + done) / blockBytes)
        const within = offset + done - number * blockBytes
        const part = block(number).subarray(within, within + target.length - done)
        target.set(part, done)
        done += part.length
      }
    },
  }
}
