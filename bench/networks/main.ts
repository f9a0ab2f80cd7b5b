/**
 * `npm run bench:networks`: whole trainings of scVI on real cells (2,000 cells, 1,500 genes, 60 epochs, 15 seeds) against the same in plain
 * PyTorch: seconds, evidence bound, what neighbours in latent space say; and what a training loses outside its steps (of drawn cells of an
 * atlas's number too), what a checkpoint costs. Fills the section "networks" of BENCHMARKS.md; with BENCH_ROUNDS below 3 fewer seeds, and it prints only. Wants ../shared and a
 * Python with torch and anndata.
 */
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import type { RowSlab } from '../../lib/data/cells.ts'
import { columnTexts } from '../../lib/data/column-texts.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { random } from '../../lib/job/random.ts'
import { neighbourMeasures } from '../../lib/labels/neighbour-measures.ts'
import { beginning } from '../../lib/models/fit-network.ts'
import { splitCells } from '../../lib/models/minibatches.ts'
import { openRunner } from '../../lib/models/network-runner.ts'
import type { NetworkTask } from '../../lib/models/network-task.ts'
import { trainNetwork } from '../../lib/models/network-training.ts'
import { scviInference } from '../../lib/models/scvi-inference.ts'
import type { ScviShape } from '../../lib/models/scvi-network.ts'
import { joinWeights, type Weight } from '../../lib/models/state-dict.ts'
import type { TrainingCells } from '../../lib/models/training-cells.ts'
import { checkpointBytes, readCheckpoint } from '../../lib/models/training-checkpoint.ts'
import type { Schedule } from '../../lib/models/training-schedule.ts'
import { nearestNeighbours } from '../../lib/neighbours/nearest-neighbours.ts'
import { collectTrainingCounts } from '../../lib/prep/training-counts.ts'
import { sharedPath } from '../../test/support/shared.ts'
import { usualShape } from '../scvi-shape.ts'
import { machine, median, today, writeSection } from '../section.ts'
import { simulatedCounts } from '../simulated-counts.ts'

const root = resolve(import.meta.dirname, '../..')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const seeds = rounds < 3 ? 1 : 15
const threads = Math.min(2, availableParallelism())
const epochs = 60
const path = sharedPath('golden', 'scvi', 'kang_2000x1500_counts.h5ad')

const shape: ScviShape = {
  genes: 1500,
  hidden: 128,
  latent: 10,
  ...usualShape,
}

interface Cells {
  data: TrainingCells
  slab: RowSlab
  types: Int32Array
  typeCount: number
}

async function readCells(): Promise<Cells> {
  const file = await openCells(path)
  const matrix = await file.matrix('X')
  const { rows: cells, columns: genes } = matrix
  const {
    rows: _,
    empty: __,
    notices: ___,
    ...counts
  } = await collectTrainingCounts(matrix.slabs(), {
    place: path,
    cells,
    genes,
  })
  const obs = await file.obs()
  await file.close()
  const texts = (column: string) => columnTexts(obs.columns.get(column)!)!
  const types = texts('cell_type')
  const known = [...new Set(types)].filter((type) => type !== 'unknown').sort()
  const { indptr, indices } = counts
  return {
    data: {
      ...counts,
      categories: [Int32Array.from(texts('condition'), (one) => (one === 'stim' ? 1 : 0))],
      continuous: null,
      labels: null,
    },
    slab: { start: 0, rows: cells, columns: genes, indptr, indices, values: counts.counts },
    types: Int32Array.from(types, (type) => known.indexOf(type)),
    typeCount: known.length,
  }
}

interface Outcome {
  seconds: number
  elbo: number
  agreement: number
  mixing: number
}

async function measured(
  latent: Float32Array,
  { data, types, typeCount }: Cells,
): Promise<Pick<Outcome, 'agreement' | 'mixing'>> {
  const k = 15
  const points = { rows: data.cells, dims: shape.latent, values: latent }
  // the first is the cell itself
  const { indices } = await nearestNeighbours(points, { k: k + 1, metric: 'euclidean', seed: 0 })
  const others = Int32Array.from(
    { length: data.cells * k },
    (_, i) => indices[Math.floor(i / k) * (k + 1) + 1 + (i % k)]!,
  )
  const { labelAgreement, batchMixing } = neighbourMeasures(others, {
    k,
    labels: types,
    labelCount: typeCount,
    batches: data.categories[0]!,
    batchCount: 2,
  })
  return { agreement: labelAgreement!, mixing: batchMixing! }
}

interface Costs {
  /** share of the training's time that no session ran */
  lost: number
  checkpointMib: number
  writeMs: number
  readMs: number
  /** until the first step could run: graphs, sessions, state */
  resumeMs: number
}

function course(seed: number): Schedule {
  return {
    epochs,
    batchSize: 128,
    rate: 1e-3,
    warmUp: { over: 400, least: 0, most: 1 },
    validateEvery: null,
    earlyStopping: null,
    plateau: null,
    labelledPerClass: null,
    seed,
  }
}

async function ours(cells: Cells, seed: number): Promise<Outcome & Costs> {
  const { data, slab } = cells
  const task = { kind: 'scvi', shape } as const
  const schedule = course(seed)
  const open = (weights = beginning(task, { seed })) =>
    openRunner(weights, {
      task,
      data,
      optimiser: { epsilon: 0.01, decay: { rate: 1e-6, kind: 'coupled' } },
      threads,
      notices: [],
      clock: () => performance.now(),
    })
  const numbers = Int32Array.from({ length: data.cells }, (_, cell) => cell)
  const split = splitCells(numbers, {
    share: 0.9,
    random: random(seed).fork('split'),
    batchSize: 128,
    isExact: false,
  })
  const runner = await open()
  const began = performance.now()
  const { state } = await trainNetwork({ runner, data, split, schedule })
  const milliseconds = performance.now() - began
  const lost = 1 - runner.running() / milliseconds
  await runner.close()
  const timed = <Value>(act: () => Value): [Value, number] => {
    const from = performance.now()
    return [act(), performance.now() - from]
  }
  const [bytes, writeMs] = timed(() => checkpointBytes(state, 'bench'))
  const [stored, readMs] = timed(() => readCheckpoint(bytes, { training: 'bench', place: 'bench' }))
  const from = performance.now()
  const again = await open()
  again.restore(stored.carried)
  const resumeMs = performance.now() - from
  await again.close()
  const weights = new Map(
    [...beginning(task, { seed })].map(([name, weight]) => [
      name,
      { shape: weight.shape, data: state.carried[name] ?? weight.data },
    ]),
  )
  const latent = await latentOf(slab, weights, data.categories)
  return {
    seconds: milliseconds / 1e3,
    elbo: state.history.at(-1)!.elbo_train,
    ...(await measured(latent, cells)),
    lost,
    checkpointMib: bytes.length / 2 ** 20,
    writeMs,
    readMs,
    resumeMs,
  }
}

/** Share of the training's time that no session ran, over 2,000 genes; SCANVI with 30 labels, all cells labelled. */
async function lostAtSize(kind: 'scvi' | 'scanvi', cells: number): Promise<number> {
  const [genes, classes] = [2_000, 30]
  const drawn = simulatedCounts({ cells, genes, classes }, 0)
  const task: NetworkTask =
    kind === 'scvi'
      ? { kind, shape: { ...shape, genes } }
      : {
          kind,
          shape: { ...shape, genes, classes, linearClassifier: false },
          classificationRatio: 50,
          hasLabels: true,
        }
  const data = kind === 'scvi' ? { ...drawn, labels: null } : drawn
  const numbers = Int32Array.from({ length: cells }, (_, cell) => cell)
  const options = { share: 0.9, random: random(0), batchSize: 128, isExact: false }
  const runner = await openRunner(beginning(task, { seed: 0 }), {
    ...{ task, data, threads, notices: [] },
    optimiser: { epsilon: 0.01, decay: { rate: 1e-6, kind: 'coupled' } },
    clock: () => performance.now(),
  })
  const began = performance.now()
  await trainNetwork({
    runner,
    data,
    split: splitCells(numbers, options),
    schedule: { ...course(0), epochs: 5 },
  })
  const lost = 1 - runner.running() / (performance.now() - began)
  await runner.close()
  return lost
}

async function latentOf(
  slab: RowSlab,
  weights: ReadonlyMap<string, Weight>,
  categories: readonly Int32Array[],
): Promise<Float32Array> {
  const column = { column: null, categories: ['0'], type: 'text' } as const
  const inference = scviInference(
    {
      kind: 'scvi',
      shape,
      weights: joinWeights(weights),
      batchesTracked: new Map(),
      genes: [],
      setup: {
        layer: null,
        batch: { column: 'condition', categories: ['ctrl', 'stim'], type: 'text' },
        categorical: [],
        continuous: [],
        labels: column,
      },
      training: {
        cells: slab.rows,
        isTrained: true,
        trainIndices: null,
        validationIndices: null,
        history: new Map(),
      },
      version: '',
      decoder: 'computed',
    },
    { place: 'bench', notices: [] },
  )
  const { mean } = await inference.posterior(slab, { categories })
  await inference.close()
  return mean
}

async function theirs(cells: Cells): Promise<(Outcome & { torch: string })[]> {
  const argv = ['bench/networks/peer.py', path, epochs, seeds, threads].map(String)
  const text = execFileSync(python, argv, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 })
  const found: (Outcome & { torch: string })[] = []
  for (const line of text.trim().split('\n')) {
    const { latent, ...told } = JSON.parse(line) as { latent: number[] } & Outcome & { torch: string }
    found.push({ ...told, ...(await measured(Float32Array.from(latent), cells)) })
  }
  return found
}

const cells = await readCells()
const own: (Outcome & Costs)[] = []
for (let seed = 0; seed < seeds; seed++) own.push(await ours(cells, seed))
const [lostAtLarge, lostByLabels] = [await lostAtSize('scvi', 20_000), await lostAtSize('scanvi', 6_000)]
const peer = await theirs(cells)
const spread = (values: number[], digits: number) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`
const line = (name: string, of: Outcome[]) =>
  `| ${name} | ${spread(
    of.map(({ seconds }) => seconds),
    1,
  )} s | ${spread(
    of.map(({ elbo }) => elbo),
    1,
  )} | ${spread(
    of.map(({ agreement }) => agreement),
    3,
  )} | ${spread(
    of.map(({ mixing }) => mixing),
    3,
  )} |`
/** Mean and its standard error. */
const about = (values: number[]) => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const error = Math.sqrt(squares / Math.max(1, values.length - 1) / values.length)
  return `${mean.toFixed(3)} ± ${error.toFixed(3)}`
}
const means = (of: Outcome[]) =>
  `${about(of.map(({ agreement }) => agreement))} and ${about(of.map(({ mixing }) => mixing))}`
const half = (figure: (one: Costs) => number) => median(own.map(figure))
const section = [
  `Machine: ${machine()}; ${threads} threads on both sides; PyTorch ${peer[0]!.torch}.`,
  `${today()}, median (and range) of ${seeds} seeds. scVI with its defaults, ${epochs} epochs of 1,800 of 2,000 cells, 1,500 genes, two conditions; the peer is the same model in plain PyTorch on a dense matrix in memory. Agreement: share of the 15 nearest in latent space with the cell's label; mixing: entropy of the conditions among them, 1 as mixed as all cells are. scvi-tools 1.4.3 itself came to 376.2 to 379.0 (5 seeds).`,
  '',
  '| | training | evidence bound at the end | label agreement | batch mixing |',
  '|---|---|---|---|---|',
  line('Celldrop', own),
  line('PyTorch', peer),
  '',
  `Means of agreement and mixing with their standard errors: ${means(own)} here, ${means(peer)} in PyTorch.`,
  '',
  `Of the training ${(100 * half(({ lost }) => lost)).toFixed(1)} % passed outside the runs of steps (target: below 3 %), of one over 20,000 drawn cells and 2,000 genes ${(100 * lostAtLarge).toFixed(1)} %, of a SCANVI with 30 labels over 6,000 of them ${(100 * lostByLabels).toFixed(1)} %: noise is drawn there. A checkpoint has ${half(({ checkpointMib }) => checkpointMib).toFixed(1)} MiB, is made in ${half(({ writeMs }) => writeMs).toFixed(0)} ms and read in ${half(({ readMs }) => readMs).toFixed(0)} ms (hashes included); until its next step a stopped training takes ${half(({ resumeMs }) => resumeMs).toFixed(0)} ms more.`,
].join('\n')
console.log(section)
if (rounds >= 3) writeSection('networks', section)
