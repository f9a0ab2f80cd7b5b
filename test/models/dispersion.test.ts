/** Each kind of dispersion within a training step: its gradients against central differences of the plain loss in float64. */
import { describe, expect, it } from 'vitest'
import { input } from '../../lib/graph/expression.ts'
import { wholeFeeds } from '../../lib/graph/feeds.ts'
import { gradients } from '../../lib/graph/gradient.ts'
import { float32, type Tensor } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { reconstructionLoss } from '../../lib/models/count-likelihood.ts'
import { firstWeights } from '../../lib/models/first-weights.ts'
import { builder } from '../../lib/models/network.ts'
import { cellsOf, decode, type ScviShape } from '../../lib/models/scvi-network.ts'
import { compute, numbersOf } from '../graph/compute.ts'
import { plainLossOfCell } from './plain-likelihood.ts'

const shape: ScviShape = {
  genes: 6,
  hidden: 4,
  latent: 2,
  layers: 1,
  categories: [3],
  continuous: 0,
  encodeCovariates: false,
  deeplyInject: true,
  batchNorm: 'none',
  layerNorm: 'none',
  dropout: 0,
  dispersion: 'gene',
  likelihood: 'zinb',
  labels: 2,
}
// the fourth cell has no label
const [batch, label] = [
  [0, 2, 2, 0, 1],
  [1, 1, 0, -1, 0],
]
const draw = random(17)
const counts = batch.map(() =>
  Array.from({ length: shape.genes }, () => Math.max(0, Math.round(4 * draw.normal()))),
)
const rows = <Item>(table: readonly Item[], width: number) =>
  Array.from({ length: table.length / width }, (_, row) => table.slice(row * width, (row + 1) * width))

/** The decoder's numbers, log theta of each cell and gene among them, and the gradients of what makes it. */
async function step(dispersion: ScviShape['dispersion']) {
  const into = builder('training', { feeds: wholeFeeds() })
  const cells = cellsOf(into, { ...shape, dispersion })
  const z = input('z', { type: 'float32', shape: ['cells', shape.latent] })
  const { logits, dropout, logTheta } = decode(into, z, { cells, shape: { ...shape, dispersion } })
  const model = { logits, library: cells.library, dropout: dropout!, logTheta: logTheta! }
  const loss = reconstructionLoss('zinb', model, cells.entries)
  const name = dispersion === 'gene-cell' ? 'decoder.px_r_decoder.bias' : 'px_r'
  const [slope] = gradients(loss, [into.weights.get(name)!.expression])
  const above = counts.flatMap((row, cell) =>
    row.flatMap((x, gene) => (x > 0 ? [{ place: cell * shape.genes + gene, gene, x }] : [])),
  )
  const whole = (values: readonly number[]): Tensor => ({
    type: 'int32',
    shape: [values.length],
    data: Int32Array.from(values),
  })
  const library = counts.map((row) => row.reduce((sum, x) => sum + x, 0))
  const weights = firstWeights(into.weights, random(2))
  const got = await compute(
    { slope: slope!, loss, logits, dropout: dropout!, logTheta: logTheta! },
    {
      ...Object.fromEntries([...weights].map(([of, { data, shape: size }]) => [of, float32(data, size)])),
      z: float32(
        Float32Array.from({ length: 10 }, () => draw.normal()),
        [5, 2],
      ),
      places: whole(above.map(({ place }) => place)),
      genes: whole(above.map(({ gene }) => gene)),
      counts: float32(Float32Array.from(above, ({ x }) => x)),
      library: float32(Float32Array.from(library), [5, 1]),
      'category 0': whole(batch),
      labels: whole(label),
    },
  )
  const found = numbersOf(got.logTheta)
  const byCell = found.length === shape.genes ? batch.flatMap(() => found) : found
  return {
    slope: numbersOf(got.slope),
    loss: numbersOf(got.loss)[0]!,
    /** log theta of genes x groups */
    table: [...weights.get(name)!.data],
    model: {
      logits: rows(numbersOf(got.logits), shape.genes),
      dropout: rows(numbersOf(got.dropout), shape.genes),
      logTheta: rows(byCell, shape.genes),
      library,
      counts,
    },
  }
}

describe('the dispersion', () => {
  const groups = {
    gene: { of: batch.map(() => 0), count: 1 },
    'gene-batch': { of: batch, count: 3 },
    'gene-label': { of: label, count: 2 },
    'gene-cell': { of: batch.map(() => 0), count: 1 },
  }
  for (const [dispersion, { of, count }] of Object.entries(groups))
    it(`${dispersion}: a step's loss and gradients are those of the definition`, async () => {
      const { slope, loss, model, table } = await step(dispersion as ScviShape['dispersion'])
      const tableRows = rows(table, count)
      const wanted = new Float64Array(shape.genes * count)
      let whole = 0
      for (const [cell, group] of of.entries()) {
        whole += plainLossOfCell('zinb', model, cell)
        for (let gene = 0; gene < shape.genes; gene++) {
          const moved = (by: number) => {
            const logTheta = model.logTheta.map((row) => [...row])
            logTheta[cell]![gene]! += by
            return plainLossOfCell('zinb', { ...model, logTheta }, cell)
          }
          const change = (moved(1e-5) - moved(-1e-5)) / 2e-5
          // a cell without a label has a share of each one's
          for (let one = 0; one < count; one++) {
            const share = group < 0 ? 1 / count : Number(group === one)
            wanted[gene * count + one]! += share * change
          }
        }
      }
      expect(Math.abs(loss / whole - 1)).toBeLessThan(1e-6)
      expect(tableRows).toHaveLength(shape.genes)
      for (const [gene, row] of tableRows.entries()) {
        const ofNone = row.reduce((sum, one) => sum + one, 0) / count
        const own = of[3]! < 0 ? ofNone : row[of[3]!]!
        if (dispersion !== 'gene-cell') expect(model.logTheta[3]![gene]).toBeCloseTo(own, 6)
      }
      expect(slope).toHaveLength(wanted.length)
      for (const [i, one] of wanted.entries()) expect(Math.abs(slope[i]! - one), `${i}`).toBeLessThan(2e-5)
      expect(Math.max(...wanted.map(Math.abs))).toBeGreaterThan(0.1)
    })
})
