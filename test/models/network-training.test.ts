import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import type { ErrorReport } from '../../lib/job/errors.ts'
import { random } from '../../lib/job/random.ts'
import { beginning } from '../../lib/models/fit-network.ts'
import { splitCells } from '../../lib/models/minibatches.ts'
import { openRunner, type RunnerOptions } from '../../lib/models/network-runner.ts'
import type { NetworkTask } from '../../lib/models/network-task.ts'
import { trainNetwork } from '../../lib/models/network-training.ts'
import { trainInThread } from '../../lib/models/network-training-thread.ts'
import type { ScviShape } from '../../lib/models/scvi-network.ts'
import type { TrainingCells } from '../../lib/models/training-cells.ts'
import { checkpointBytes, readCheckpoint } from '../../lib/models/training-checkpoint.ts'
import type { Schedule } from '../../lib/models/training-schedule.ts'
import { type KangCells, kangCells } from '../support/kang-cells.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { smallShape } from './toy-scvi.ts'

const shape: ScviShape = { ...smallShape, genes: 1500, hidden: 128, latent: 10 }
const small: ScviShape = { ...shape, genes: 30, hidden: 8, latent: 3 }
const optimiser: RunnerOptions['optimiser'] = { epsilon: 0.01, decay: { rate: 1e-6, kind: 'coupled' } }
const schedule: Schedule = {
  epochs: 3,
  batchSize: 128,
  rate: 1e-3,
  warmUp: { over: 400, least: 0, most: 1 },
  validateEvery: 1,
  earlyStopping: null,
  plateau: null,
  labelledPerClass: null,
  seed: 0,
}

function setUp(task: NetworkTask, data: TrainingCells, seed: number) {
  const split = splitCells(
    Int32Array.from({ length: data.cells }, (_, cell) => cell),
    { share: 0.9, random: random(seed).fork('split'), batchSize: 128, isExact: false },
  )
  return { task, data, optimiser, weights: beginning(task, { seed }), split }
}

async function train(set: ReturnType<typeof setUp>, plan: Schedule, notices: ErrorReport[] = []) {
  const { weights, split, ...options } = set
  const runner = await openRunner(weights, {
    ...options,
    notices,
    clock: () => performance.now(),
    threads: 1,
  })
  const trained = await trainNetwork({ runner, data: set.data, split, schedule: plan })
  return { trained, runner }
}

/** 300 cells x 30 genes of two kinds and two batches. */
function simulated(cells = 300): TrainingCells {
  const draw = random(4)
  const rows = Array.from({ length: cells }, (_, cell) =>
    Array.from({ length: 30 }, (_, gene) =>
      draw.uniform() < 0.4 ? 1 + draw.integer((gene + cell) % 2 ? 6 : 2) : 0,
    ),
  )
  for (const row of rows) row[0] ||= 1
  const entries = rows.map((row) => row.flatMap((count, gene) => (count > 0 ? [{ gene, count }] : [])))
  const indptr = [0]
  for (const row of entries) indptr.push(indptr.at(-1)! + row.length)
  return {
    cells,
    genes: 30,
    indptr: Float64Array.from(indptr),
    indices: Int32Array.from(entries.flat(), ({ gene }) => gene),
    counts: Float32Array.from(entries.flat(), ({ count }) => count),
    library: Float32Array.from(rows, (row) => row.reduce((sum, x) => sum + x, 0)),
    categories: [Int32Array.from(rows, (_, cell) => cell % 2)],
    continuous: null,
    labels: Int32Array.from(rows, (_, cell) => (cell % 5 === 0 ? -1 : cell % 3)),
  }
}

const scanvi: NetworkTask = {
  kind: 'scanvi',
  shape: { ...small, classes: 3, linearClassifier: false },
  classificationRatio: 50,
  hasLabels: true,
}

describe('a training', () => {
  for (const task of [{ kind: 'scvi', shape: small } as const, scanvi]) {
    it(`of ${task.kind} that is stopped, stored and taken up again ends in the same weights, bit for bit`, async () => {
      const set = setUp(task, simulated(), 1)
      const whole = await train(set, schedule)
      const { weights, split, ...options } = set
      const open = () =>
        openRunner(weights, { ...options, notices: [], clock: () => performance.now(), threads: 1 })
      let [stops, from] = [0, undefined as Uint8Array | undefined]
      for (;;) {
        const runner = await open()
        const state = from && readCheckpoint(from, { training: 'this', place: 'checkpoint' })
        const { state: after, isDone } = await trainNetwork(
          { runner, data: set.data, split, schedule, ...(state && { from: state }) },
          { ask: () => 'stop' },
        )
        await runner.close()
        from = checkpointBytes(after, 'this')
        if (isDone) {
          expect(after.history).toEqual(whole.trained.state.history)
          expect(after.carried).toEqual(whole.trained.state.carried)
          break
        }
        stops++
      }
      expect(stops).toBeGreaterThan(2)
      await whole.runner.close()
    })
  }

  it('gives the same in a thread of its own, tells of its epochs, and stops when asked', async () => {
    const set = setUp(scanvi, simulated(), 2)
    const { trained, runner } = await train(set, schedule)
    await runner.close()
    const epochs: number[] = []
    const apart = await trainInThread(
      { ...set, schedule, threads: 1 },
      { onEpoch: ({ epoch }) => epochs.push(epoch) },
    )
    expect(apart.state.carried).toEqual(trained.state.carried)
    expect(epochs).toEqual([0, 1, 2])
    const stop = new AbortController()
    const halted = await trainInThread(
      { ...set, schedule: { ...schedule, epochs: 1_000_000 }, threads: 1 },
      { onEpoch: () => stop.abort(), signal: stop.signal },
    )
    expect(halted.isDone).toBe(false)
    const taken = await trainInThread({
      ...set,
      schedule: { ...schedule, epochs: halted.state.epoch + 1 },
      threads: 1,
      from: halted.state,
    })
    expect(taken.state.history.length).toBe(halted.state.epoch + 1)
  })

  it('goes back to the last good epoch with half the rate when the loss is no number, and gives up after three times', async () => {
    const set = setUp({ kind: 'scvi', shape: small }, simulated(), 3)
    // a rate that throws the weights far beyond what exp can take
    const wild = { ...schedule, rate: 1e6, epochs: 2 }
    await expect(train(set, wild)).rejects.toMatchObject({ code: 'TRAINING_DIVERGED' })
    const { weights, split, ...options } = set
    const runner = await openRunner(weights, {
      ...options,
      notices: [],
      clock: () => performance.now(),
      threads: 1,
    })
    const spoilt = { ...runner, calls: 0 }
    const { state, notices } = await trainNetwork({
      runner: {
        ...spoilt,
        async train(batches, how) {
          const result = await runner.train(batches, how)
          if (spoilt.calls++ === 1) result.told.loss[0] = Number.NaN
          return result
        },
      },
      data: set.data,
      split,
      schedule,
    })
    expect(notices.map(({ code }) => code)).toEqual(['TRAINING_WENT_BACK'])
    expect(state.rate).toBe(schedule.rate / 2)
    expect(state.history.map(({ epoch }) => epoch)).toEqual([0, 1, 2])
    await runner.close()
  })

  it('ends early, and lowers its rate, when the validation cells get no better', async () => {
    const set = setUp({ kind: 'scvi', shape: small }, simulated(), 5)
    const { trained, runner } = await train(set, {
      ...schedule,
      epochs: 200,
      // nothing counts as better than the first epoch
      earlyStopping: { patience: 6, minDelta: 1e9 },
      plateau: { patience: 2, factor: 0.5, threshold: 1e9, least: 0 },
    })
    await runner.close()
    expect(trained.isDone).toBe(true)
    expect(trained.state.history).toHaveLength(7)
    expect(trained.state.history.map(({ rate }) => rate)).toEqual([1e-3, 1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 5e-4])
  })
})

describe('a checkpoint', () => {
  it('is refused when it was altered, cut short, or is of another training', async () => {
    const set = setUp({ kind: 'scvi', shape: small }, simulated(), 6)
    const { trained, runner } = await train(set, { ...schedule, epochs: 1 })
    await runner.close()
    const bytes = checkpointBytes(trained.state, 'a')
    expect(readCheckpoint(bytes, { training: 'a', place: 'x' }).carried).toEqual(trained.state.carried)
    const at = { training: 'a', place: 'x' }
    for (const cut of [0, 1, 40, bytes.length - 1])
      expect(() => readCheckpoint(bytes.slice(0, cut), at)).toThrow(
        expect.objectContaining({ code: 'CHECKPOINT_CORRUPT' }),
      )
    for (const byte of [0, 500, bytes.length >> 1, bytes.length - 1]) {
      const altered = bytes.slice()
      altered[byte]! ^= 1
      expect(() => readCheckpoint(altered, at)).toThrow(
        expect.objectContaining({ code: 'CHECKPOINT_CORRUPT' }),
      )
    }
    expect(() => readCheckpoint(bytes, { training: 'b', place: 'x' })).toThrow(
      expect.objectContaining({ code: 'CHECKPOINT_OTHER' }),
    )
  })
})

describe.runIf(hasShared)('scVI on real cells', () => {
  let cells: KangCells
  beforeAll(async () => {
    cells = await kangCells()
  })

  it('comes to the evidence bound that scvi-tools comes to after as many epochs, within 1 %', async () => {
    const path = sharedPath('golden', 'scvi', 'kang_scvi_history_5seeds.csv')
    const [head, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
    const columns = head!.split(',')
    const rows = lines.map((line) =>
      Object.fromEntries(line.split(',').map((text, i) => [columns[i]!, Number(text)])),
    )
    const meanAt = (epoch: number, column: string) => {
      const found = rows.filter((row) => row.epoch === epoch).map((row) => row[column]!)
      return found.reduce((sum, one) => sum + one, 0) / found.length
    }
    const { trained, runner } = await train(setUp({ kind: 'scvi', shape }, cells, 0), {
      ...schedule,
      epochs: 60,
    })
    await runner.close()
    for (const epoch of [19, 39, 59]) {
      const { elbo_train, reconstruction_loss_train } = trained.state.history[epoch]!
      expect(Math.abs(elbo_train / meanAt(epoch, 'elbo_train') - 1)).toBeLessThan(0.01)
      expect(
        Math.abs(reconstruction_loss_train / meanAt(epoch, 'reconstruction_loss_train') - 1),
      ).toBeLessThan(0.01)
    }
  })
})
