/** Contract: a training within a step leaves its state behind, goes on from it, and begins anew, saying so, where that state is no good. */
import { describe, expect, it } from 'vitest'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { random } from '../../lib/job/random.ts'
import { openStep } from '../../lib/job/steps.ts'
import { beginning, type NetworkFit } from '../../lib/models/fit-network.ts'
import type { TrainingCells } from '../../lib/models/training-cells.ts'
import { forgetPhases, trainPhase } from '../../lib/workflows/parts/train-network.ts'
import type { StepContext } from '../../lib/workflows/workflow.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const genes = 12

function simulated(cells: number): TrainingCells {
  const draw = random(1)
  const counts = Float32Array.from({ length: cells * genes }, () => 1 + draw.integer(5))
  return {
    ...{ cells, genes, counts, continuous: null, labels: null },
    indptr: Float64Array.from({ length: cells + 1 }, (_, cell) => cell * genes),
    indices: Int32Array.from(counts, (_, i) => i % genes),
    library: Float32Array.from({ length: cells }, (_, cell) =>
      counts.subarray(cell * genes, (cell + 1) * genes).reduce((sum, count) => sum + count, 0),
    ),
    categories: [new Int32Array(cells)],
  }
}

function fitOf(epochs: number): Omit<NetworkFit, 'from'> {
  const task = {
    kind: 'scvi' as const,
    shape: {
      ...{ genes, hidden: 8, latent: 2, layers: 1, continuous: 0, dropout: 0.1, labels: 0 },
      ...{ encodeCovariates: false, deeplyInject: false },
      categories: [1] as const,
      ...({ batchNorm: 'none', layerNorm: 'both', dispersion: 'gene', likelihood: 'nb' } as const),
    },
  }
  return {
    task,
    data: simulated(200),
    weights: beginning(task, { seed: 0 }),
    trainShare: null,
    threads: 1,
    optimiser: { epsilon: 0.01 },
    schedule: {
      ...{ epochs, batchSize: 32, rate: 1e-2, warmUp: null, validateEvery: 1, plateau: null, seed: 0 },
      // nothing counts as better: it ends after two epochs
      earlyStopping: epochs > 1000 ? { patience: 2, minDelta: 1e9 } : null,
      labelledPerClass: null,
    },
  }
}

async function contextIn(path: string, signal = new AbortController().signal) {
  const work = await openFolderStore(path)
  const step = openStep(work, { state: 'Fit', code: 'test', dependsOn: [] })
  const notes: string[] = []
  const context = {
    ...{ stores: { work }, step, signal, road: { settings: { workflow: 'fit-reference', compute: 'cpu' } } },
    progress: (_: number, __: number, unit: string, note: string) => notes.push(`${note} ${unit}`),
  } as unknown as StepContext
  return { context, work, notes, key: `${step.prefix}scvi.checkpoint` }
}

const phase = { name: 'scvi', note: 'training' }

describe('a training within a step', () => {
  it('leaves its end, from which the same weights come without a step of training, until it is forgotten', async () => {
    await using folder = await temporaryFolder()
    const { context, work, notes, key } = await contextIn(folder.path)
    const first = await trainPhase(context, phase, fitOf(4))
    expect(new Set(notes)).toEqual(new Set(['training epochs']))
    expect(await work.head(key)).toBeDefined()
    notes.length = 0
    const again = await trainPhase(context, phase, fitOf(4))
    expect(notes).toEqual([])
    expect([...again.weights]).toEqual([...first.weights])
    expect(again.split).toEqual(first.split)
    expect(again.state.history).toEqual(first.state.history)
    await forgetPhases(context, ['scvi'])
    expect(await work.head(key)).toBeUndefined()
  })

  it('that ended early is over, although epochs are left', async () => {
    await using folder = await temporaryFolder()
    const { context, notes } = await contextIn(folder.path)
    const first = await trainPhase(context, phase, fitOf(2000))
    expect(first.state.history.length).toBe(3)
    notes.length = 0
    const again = await trainPhase(context, phase, fitOf(2000))
    expect(notes).toEqual([])
    expect(again.state.history).toEqual(first.state.history)
  })

  it('stores its state as it goes, goes on from it after it was stopped, and ends as one that was not', async () => {
    await using folder = await temporaryFolder()
    const stop = new AbortController()
    const { context, work, key } = await contextIn(folder.path, stop.signal)
    const stores = work.write.bind(work)
    let written = 0
    work.write = async (...given) => {
      if (given[0] === key && ++written === 2) stop.abort(new Error('stopped'))
      return stores(...given)
    }
    await expect(trainPhase(context, { ...phase, storeEvery: 5 }, fitOf(400))).rejects.toThrow('stopped')
    expect(written).toBeGreaterThan(2)
    const { context: later } = await contextIn(folder.path)
    const resumed = await trainPhase(later, phase, fitOf(400))
    await using other = await temporaryFolder()
    const whole = await trainPhase((await contextIn(other.path)).context, phase, fitOf(400))
    expect(resumed.notices).toEqual([])
    expect([...resumed.weights]).toEqual([...whole.weights])
    expect(resumed.state.history).toEqual(whole.state.history)
  })

  it.each(['cut', 'other'])('begins anew and says so when the stored state is %s', async (how) => {
    await using folder = await temporaryFolder()
    const { context, work, key } = await contextIn(folder.path)
    const first = await trainPhase(context, phase, fitOf(3))
    const bytes = await work.read(key, { maxBytes: 1 << 20 })
    if (how === 'cut') await work.write(key, bytes.subarray(0, bytes.length - 5))
    const again = await trainPhase(context, phase, fitOf(how === 'cut' ? 3 : 5))
    expect(again.notices.map(({ code }) => code)).toEqual([
      how === 'cut' ? 'CHECKPOINT_CORRUPT' : 'CHECKPOINT_OTHER',
    ])
    if (how === 'cut') expect([...again.weights]).toEqual([...first.weights])
    else expect(again.state.history.length).toBe(5)
  })
})
