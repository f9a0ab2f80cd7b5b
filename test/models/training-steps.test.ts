/**
 * Single training steps of scvi-tools 1.4.3 with its noise written down: losses, gradients, and weights after one and five steps.
 * 48 cells x 100 genes, dropout 0, weight of the divergence 0.5, Adam with rate 1e-3, eps 0.01 and weight decay 1e-6.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { graphOf } from '../../lib/graph/emit.ts'
import type { Expression } from '../../lib/graph/expression.ts'
import { input } from '../../lib/graph/expression.ts'
import { type Feeds, wholeFeeds } from '../../lib/graph/feeds.ts'
import { gradients } from '../../lib/graph/gradient.ts'
import { writeModel } from '../../lib/graph/onnx-write.ts'
import { add, multiply, sum } from '../../lib/graph/operations/arithmetic.ts'
import { openSession } from '../../lib/graph/session.ts'
import { float32, int64, type Tensor, type TensorData } from '../../lib/graph/tensor.ts'
import { cellBlock } from '../../lib/models/cell-block.ts'
import { type Builder, builder } from '../../lib/models/network.ts'
import { classificationLoss, type ScanviShape, scanviLoss } from '../../lib/models/scanvi-network.ts'
import { cellsOf, perCell, type ScviShape, scviLoss } from '../../lib/models/scvi-network.ts'
import { joinWeights, splitWeights, type Weight } from '../../lib/models/state-dict.ts'
import type { TrainingCells } from '../../lib/models/training-cells.ts'
import { type TrainingGraph, trainingGraph } from '../../lib/models/training-graph.ts'
import { readNpz } from '../support/npz.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const steps = 5
const plain: ScviShape = {
  genes: 100,
  hidden: 32,
  latent: 6,
  layers: 1,
  categories: [2],
  continuous: 0,
  encodeCovariates: false,
  deeplyInject: true,
  batchNorm: 'both',
  layerNorm: 'none',
  dropout: 0,
  dispersion: 'gene',
  likelihood: 'zinb',
  labels: 0,
}
const forSurgery: ScviShape = {
  ...plain,
  layers: 2,
  encodeCovariates: true,
  deeplyInject: false,
  batchNorm: 'none',
  layerNorm: 'both',
}
const scvi: Record<string, ScviShape> = {
  scvi_default: plain,
  scvi_surgery_config: forSurgery,
  scvi_nb_deep: { ...plain, layers: 2, encodeCovariates: true, likelihood: 'nb' },
}
const scanvi: ScanviShape = { ...forSurgery, classes: 6, linearClassifier: false }

function path(name: string): string {
  return sharedPath('golden', 'scvi', 'step', name)
}

function table(name: string): string[][] {
  const lines = readFileSync(path(name), 'utf8').trimEnd().split('\n')
  // labels hold commas, and quotes then
  return lines
    .slice(1)
    .map((line) => [...line.matchAll(/"([^"]*)"|([^,]+)/g)].map((found) => found[1] ?? found[2]!))
}

function float(name: string): Map<string, Weight> {
  const arrays = [...readNpz(path(name))].flatMap(([of, { shape, data }]) =>
    data instanceof BigInt64Array ? [] : [[of, { shape, data: Float32Array.from(data) }] as const],
  )
  return new Map(arrays)
}

interface CellData {
  counts: number[][]
  batch: number[]
  label: number[]
}

function readCells(): CellData {
  const names = JSON.parse(readFileSync(path('figures.json'), 'utf8')) as { scanvi: { labels: string[] } }
  const obs = table('obs_48.csv')
  return {
    counts: table('counts_48x100.csv').map((row) => row.slice(1).map(Number)),
    batch: obs.map(([, batch]) => (batch === 'ctrl' ? 0 : 1)),
    label: obs.map(([, , label]) => names.scanvi.labels.indexOf(label!)),
  }
}

/** What one step is fed of these cells. */
function feedsOf({ counts, batch, label }: CellData, prefix = ''): Record<string, TensorData> {
  const genes = counts[0]!.length
  const above = counts.flatMap((row, cell) =>
    row.flatMap((x, gene) => (x > 0 ? [{ at: cell * genes + gene, gene, x }] : [])),
  )
  return {
    [`${prefix}places`]: Int32Array.from(above, ({ at }) => at),
    [`${prefix}genes`]: Int32Array.from(above, ({ gene }) => gene),
    [`${prefix}counts`]: Float32Array.from(above, ({ x }) => x),
    [`${prefix}library`]: Float32Array.from(counts, (row) => row.reduce((all, x) => all + x, 0)),
    [`${prefix}category 0`]: Int32Array.from(batch),
    [`${prefix}classes`]: Int32Array.from(label),
  }
}

/** log(x!) of all counts, for each cell in the mean: what the losses here leave out. */
function logFactorials({ counts }: CellData): number {
  let total = 0
  for (const x of counts.flat()) for (let i = 2; i <= x; i++) total += Math.log(i)
  return total / counts.length
}

function scviNetwork(shape: ScviShape) {
  return (into: Builder, rate: (name: string) => Expression) => {
    const cells = cellsOf(into, shape)
    const { reconstruction, divergence } = scviLoss(into, cells, shape)
    const weighted = multiply(sum(divergence), rate('kl-weight'))
    return { loss: perCell(add(reconstruction, weighted), cells), told: {} }
  }
}

function scanviNetwork(into: Builder, rate: (name: string) => Expression) {
  const cells = cellsOf(into, scanvi)
  const { reconstruction, divergence, latent } = scanviLoss(into, cells, scanvi)
  const weighted = multiply(sum(divergence), rate('kl-weight'))
  const labelled = cellsOf(into, scanvi, 'labelled')
  const labels = into.feeds.ofCells('classes', { type: 'int32', group: 'labelled' })
  const classification = classificationLoss(into, { cells: labelled, labels, shape: scanvi })
  const loss = add(
    perCell(add(add(reconstruction, sum(latent)), weighted), cells),
    multiply(classification, 50),
  )
  return { loss, told: { classification } }
}

const known = (name: string) => (name === 'scanvi' ? scanviNetwork : scviNetwork(scvi[name]!))

function tensor(data: TensorData, rows: number, width?: number): Tensor {
  const shape = width === undefined ? [rows] : [rows, width]
  const type =
    data instanceof Float32Array
      ? 'float32'
      : data instanceof Int32Array
        ? 'int32'
        : data instanceof Uint8Array
          ? 'uint8'
          : 'int64'
  return { type, shape, data }
}

function repeated<Data extends TensorData>(data: Data, times: number): Data {
  const Kind = data.constructor as new (length: number) => Data
  const whole = new Kind(data.length * times)
  for (let i = 0; i < times; i++) whole.set(data as never, i * data.length)
  return whole
}

const number = (value: number): Tensor => ({ type: 'float32', shape: [], data: Float32Array.of(value) })

/** Everything that a network takes of cells and noise, for these steps. */
function feedTensors(name: string, { taken }: Pick<Feeds, 'taken'>, of: number[]): Record<string, Tensor> {
  const cells = readCells()
  const has = cells.label.map((label) => label < 6)
  const pick = <Item>(items: Item[]) => items.filter((_, i) => has[i])
  const labelled = { counts: pick(cells.counts), batch: pick(cells.batch), label: pick(cells.label) }
  const given = { ...feedsOf(cells), ...feedsOf(labelled, 'labelled ') }
  const eps = float(`${name}.eps.npz`)
  const draws: Record<string, string> = { z: 'eps0', z2: 'eps1' }
  return Object.fromEntries(
    [...taken].map(([feed, { width }]) => {
      const draw = draws[feed]
      const data =
        draw === undefined
          ? repeated(given[feed]!, of.length)
          : Float32Array.from(of.flatMap((step) => [...eps.get(`step${step}.${draw}`)!.data]))
      return [feed, tensor(data, data.length / (width ?? 1), width)]
    }),
  )
}

/** All cells in each step, and those with a label. */
function minibatchesOf(times: number): Record<string, Tensor> {
  const { label } = readCells()
  const all = Array.from(label.keys())
  const groups = { cells: all, labelled: all.filter((cell) => label[cell]! < 6) }
  return Object.fromEntries(
    Object.entries(groups).flatMap(([group, cells]) => [
      [`${group} from`, int64(Array.from({ length: times + 1 }, (_, i) => i * cells.length))],
      [`${group} numbers`, tensor(repeated(Int32Array.from(cells), times), times * cells.length)],
    ]),
  )
}

function blockOf({ counts, batch, label }: CellData): TrainingCells {
  const rows = counts.map((row) => row.flatMap((x, gene) => (x > 0 ? [{ gene, x }] : [])))
  return {
    cells: counts.length,
    genes: counts[0]!.length,
    indptr: Float64Array.of(0, ...rows.map((_, cell) => rows.slice(0, cell + 1).flat().length)),
    indices: Int32Array.from(rows.flat(), ({ gene }) => gene),
    counts: Float32Array.from(rows.flat(), ({ x }) => x),
    library: Float32Array.from(counts, (row) => row.reduce((all, x) => all + x, 0)),
    categories: [Int32Array.from(batch)],
    continuous: null,
    labels: Int32Array.from(label),
  }
}

/**
 * Largest difference of two weights, as a share of the largest entry where asked. A bias before a batch normalisation has no gradient but
 * rounding: what is below 0.05 counts as 0.05.
 */
function difference(ours: Weight, theirs: Weight, isRelative: boolean): number {
  expect(ours.shape).toEqual(theirs.shape)
  let [most, scale] = [0, 0]
  for (let i = 0; i < theirs.data.length; i++) {
    most = Math.max(most, Math.abs(ours.data[i]! - theirs.data[i]!))
    scale = Math.max(scale, Math.abs(theirs.data[i]!))
  }
  return isRelative ? most / Math.max(scale, 0.05) : most
}

async function trained(
  name: string,
): Promise<{ losses: Float32Array; after: Map<string, Weight>; made: TrainingGraph }> {
  const made = trainingGraph(name, {
    network: known(name),
    optimiser: { epsilon: 0.01, decay: { rate: 1e-6, kind: 'coupled' } },
  })
  const first = splitWeights(float(`${name}.params0.npz`), made.weights)
  const session = await openSession(writeModel(made.graph), { notices: [], threads: 1 })
  const fed: Record<string, Tensor> = {
    ...feedTensors(name, made.feeds, [1, 2, 3, 4, 5]),
    ...minibatchesOf(steps),
    ...cellBlock(blockOf(readCells()), made.feeds),
    steps: { type: 'int64', shape: [], data: BigInt64Array.of(BigInt(steps)) },
    rate: number(1e-3),
    'kl-weight': number(0.5),
    'steps-before.first': number(0),
  }
  for (const [of, { shape, data }] of first) {
    fed[`${of}.first`] = float32(data, shape)
    for (const moment of ['first-moment', 'second-moment'])
      fed[`${of}.${moment}.first`] = float32(new Float32Array(data.length), shape)
    fed[of] = fed[`${of}.first`]!
  }
  const wanted = made.graph.inputs.map((one) => one.name)
  const results = await session.run(Object.fromEntries(wanted.map((one) => [one, fed[one]!])))
  await session.close()
  const after = new Map(
    [...first].map(([of, weight]) => {
      const moved = results[`${of}.after`]
      return [of, moved === undefined ? weight : { shape: weight.shape, data: moved.data as Float32Array }]
    }),
  )
  return { losses: results.loss!.data as Float32Array, after: joinWeights(after), made }
}

describe.runIf(hasShared)('a training step', () => {
  for (const name of [...Object.keys(scvi), 'scanvi']) {
    it(`of ${name} has the gradients that scvi-tools has`, async () => {
      const into = builder('training', { feeds: wholeFeeds() })
      const { loss } = known(name)(into, (of) => input(of, { type: 'float32', shape: [] }))
      const trainedWeights = [...into.weights].filter(([, { kind }]) => kind === 'trained')
      const slopes = gradients(
        loss,
        trainedWeights.map(([, { expression }]) => expression),
      )
      const outputs = Object.fromEntries(
        trainedWeights.flatMap(([of], i) => (slopes[i] === undefined ? [] : [[`d ${of}`, slopes[i]!]])),
      )
      const graph = graphOf(name, { ...outputs, loss })
      const session = await openSession(writeModel(graph), { notices: [], threads: 1 })
      const first = splitWeights(float(`${name}.params0.npz`), into.weights)
      const fed: Record<string, Tensor> = {
        ...feedTensors(name, into.feeds, [1]),
        ...Object.fromEntries([...first].map(([of, { shape, data }]) => [of, float32(data, shape)])),
        'kl-weight': number(0.5),
      }
      const got = await session.run(Object.fromEntries(graph.inputs.map((one) => [one.name, fed[one.name]!])))
      await session.close()
      const ours = joinWeights(
        new Map(
          trainedWeights.flatMap(([of, { shape }]) => {
            const slope = got[`d ${of}`]
            return slope === undefined ? [] : [[of, { shape, data: slope.data as Float32Array }] as const]
          }),
        ),
      )
      const theirs = float(`${name}.grads1.npz`)
      expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort())
      for (const [of, slope] of theirs) expect(difference(ours.get(of)!, slope, true), of).toBeLessThan(1e-4)
    })

    it(`of ${name}, five of them, has the losses and leads to the weights that scvi-tools has`, async () => {
      const { losses, after } = await trained(name)
      const constantPart = logFactorials(readCells())
      for (const [i, [, , loss]] of table(`${name}.loss.csv`).entries())
        expect(Math.abs((losses[i]! + constantPart) / Number(loss) - 1), `step ${i + 1}`).toBeLessThan(1e-5)
      for (const [of, weight] of float(`${name}.params5.npz`)) {
        const ours = after.get(of)
        if (ours !== undefined) expect(difference(ours, weight, false), of).toBeLessThan(5e-5)
      }
      expect(after.size).toBeGreaterThan(10)
    })
  }
})
