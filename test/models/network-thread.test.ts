import { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { beginning } from '../../lib/models/fit-network.ts'
import { type TrainingSetup, trainInThread } from '../../lib/models/network-training-thread.ts'
import type { Schedule } from '../../lib/models/training-schedule.ts'
import { threeCells, tinyShape } from './three-cells.ts'

const schedule: Schedule = {
  epochs: 4,
  batchSize: 2,
  rate: 1e-3,
  warmUp: null,
  validateEvery: 1,
  earlyStopping: null,
  plateau: null,
  labelledPerClass: null,
  seed: 0,
}

function setup(epochs = schedule.epochs): TrainingSetup {
  const task = { kind: 'scvi', shape: tinyShape } as const
  return {
    task,
    data: threeCells(),
    optimiser: { epsilon: 0.01 },
    weights: beginning(task, { seed: 0 }),
    split: { train: Int32Array.of(0, 1), validation: Int32Array.of(2) },
    schedule: { ...schedule, epochs },
    threads: 1,
  }
}

afterEach(() => vi.restoreAllMocks())

describe('the thread of a training', () => {
  it('ends by itself and is never made to, whether it is done, stopped, refused, or its watcher throws', async () => {
    // a thread that is made to end while a session runs takes the process with it
    const terminate = vi.spyOn(Worker.prototype, 'terminate')
    expect((await trainInThread(setup())).isDone).toBe(true)
    const stop = new AbortController()
    const halted = await trainInThread(setup(1_000_000), {
      signal: stop.signal,
      onEpoch: ({ epoch }) => epoch === 3 && stop.abort(),
    })
    expect(halted.isDone).toBe(false)
    const wild = setup()
    await expect(
      trainInThread({ ...wild, schedule: { ...wild.schedule, rate: Number.NaN } }),
    ).rejects.toMatchObject({ code: 'TRAINING_DIVERGED' })
    await expect(
      trainInThread(setup(1_000_000), {
        onEpoch() {
          throw new RangeError('the watcher has seen enough')
        },
      }),
    ).rejects.toThrow('the watcher has seen enough')
    expect(terminate).not.toHaveBeenCalled()
  })

  it('gives states that later epochs, and its own end, leave as they were', async () => {
    const states: { was: number[]; carried: Readonly<Record<string, Float32Array>> }[] = []
    const everything = (carried: Readonly<Record<string, Float32Array>>) =>
      Object.values(carried).flatMap((values) => [...values])
    const stop = new AbortController()
    const { state } = await trainInThread(setup(1_000_000), {
      storeEvery: 1,
      signal: stop.signal,
      onState({ carried }) {
        states.push({ was: everything(carried), carried })
        if (states.length === 3) stop.abort()
      },
    })
    expect(states.length).toBeGreaterThan(2)
    for (const { was, carried } of states) expect(everything(carried)).toEqual(was)
    expect(everything(state.carried)).not.toEqual(states[0]!.was)
  })
})
