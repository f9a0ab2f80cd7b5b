/** A learned library size: the loss by hand in float64, its gradients by central differences, and what is usual in each batch. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Likelihood } from '../../lib/models/count-likelihood.ts'
import { priorNotices, withLibraryPrior } from '../../lib/models/library-prior.ts'
import type { ScanviShape } from '../../lib/models/scanvi-network.ts'
import type { ScviShape } from '../../lib/models/scvi-network.ts'
import type { Weight } from '../../lib/models/state-dict.ts'
import { type OneStep, oneStep, stepCells } from './one-step.ts'
import { plainLoss } from './plain-likelihood.ts'

const shape: ScviShape = {
  genes: 5,
  hidden: 3,
  latent: 2,
  layers: 1,
  categories: [2],
  continuous: 0,
  encodeCovariates: true,
  deeplyInject: false,
  batchNorm: 'none',
  layerNorm: 'none',
  dropout: 0,
  dispersion: 'gene',
  likelihood: 'zinb',
  labels: 0,
  library: 'learned',
}
const cells = stepCells(3, { cells: 7, genes: 5, labels: 2 })
const klWeight = 0.3

type Table = number[][]

/** x W^T + b by the names of a state dict, in float64. */
function lineOf(numbers: ReadonlyMap<string, { shape: readonly number[]; data: Float64Array }>) {
  return (name: string, rows: Table): Table => {
    const [weight, bias] = [numbers.get(`${name}.weight`)!, numbers.get(`${name}.bias`)!]
    const width = weight.shape[1]!
    return rows.map((row) =>
      Array.from(bias.data, (start, output) =>
        row.reduce((sum, x, input) => sum + x * weight.data[output * width + input]!, start),
      ),
    )
  }
}

const sum = (values: readonly number[]) => values.reduce((all, one) => all + one, 0)
/** KL(N(m, v) || N(m0, v0)) */
const divergence = (m: number, v: number, [m0, v0]: readonly [number, number]) =>
  0.5 * (v / v0 + (m - m0) ** 2 / v0 - 1 - Math.log(v / v0))

interface PlainParts {
  loss: number
  divergence: number
}

/** The whole loss of a scVI of one layer without norms, straight from its definition. */
function plainStep(
  weights: ReadonlyMap<string, Weight>,
  { likelihood, noise }: { likelihood: Likelihood; noise: OneStep['noise'] },
): PlainParts {
  const numbers = new Map(
    [...weights].map(([name, { shape: size, data }]) => [
      name,
      { shape: size, data: Float64Array.from(data) },
    ]),
  )
  const line = lineOf(numbers)
  const relu = (rows: Table) => rows.map((row) => row.map((x) => Math.max(0, x)))
  const batches = cells.batch.map((batch) => (batch === 0 ? [1, 0] : [0, 1]))
  const seen = cells.counts.map((row, cell) => [...row.map(Math.log1p), ...batches[cell]!])
  const encoded = (name: string) => {
    const h = relu(line(`${name}.encoder.fc_layers.Layer 0.0`, seen))
    const variance = line(`${name}.var_encoder`, h).map((row) => row.map((x) => Math.exp(x) + 1e-4))
    return { mean: line(`${name}.mean_encoder`, h), variance }
  }
  const [ofZ, ofLibrary] = [encoded('z_encoder'), encoded('l_encoder')]
  const z = ofZ.mean.map((row, cell) =>
    row.map((m, i) => m + Math.sqrt(ofZ.variance[cell]![i]!) * noise.z![2 * cell + i]!),
  )
  const log = ofLibrary.mean.map(
    ([m], cell) => m! + Math.sqrt(ofLibrary.variance[cell]![0]!) * noise.l![cell]!,
  )
  const h = relu(
    line(
      'decoder.px_decoder.fc_layers.Layer 0.0',
      z.map((row, cell) => [...row, ...batches[cell]!]),
    ),
  )
  const none = cells.counts.map((row) => row.map(() => 0))
  const reconstruction = plainLoss(likelihood, {
    logits: line('decoder.px_scale_decoder.0', h),
    dropout: likelihood === 'zinb' ? line('decoder.px_dropout_decoder', h) : none,
    logTheta: likelihood === 'poisson' ? none : none.map(() => [...numbers.get('px_r')!.data]),
    library: log.map(Math.exp),
    counts: cells.counts,
  })
  const fromPrior = sum(
    ofZ.mean.flatMap((row, cell) => row.map((m, i) => divergence(m, ofZ.variance[cell]![i]!, [0, 1]))),
  )
  const [means, variances] = ['library_log_means', 'library_log_vars'].map((name) => numbers.get(name)!.data)
  const library = sum(
    ofLibrary.mean.map(([m], cell) => {
      const batch = cells.batch[cell]!
      return divergence(m!, ofLibrary.variance[cell]![0]!, [means![batch]!, variances![batch]!])
    }),
  )
  const whole = reconstruction + klWeight * fromPrior + library
  return { loss: whole / cells.batch.length, divergence: fromPrior + library }
}

describe('a scVI that learns library sizes', () => {
  for (const likelihood of ['zinb', 'nb', 'poisson'] as const)
    it(`${likelihood}: has the loss of the definition, the divergence of the library whole from the start, and its gradients`, async () => {
      const step = await oneStep(
        { kind: 'scvi', shape: { ...shape, likelihood } },
        { cells, klWeight, seed: 5 },
      )
      const given = { likelihood, noise: step.noise }
      const wanted = plainStep(step.weights, given)
      expect(step.loss / wanted.loss).toBeCloseTo(1, 5)
      expect(step.told.divergence! / wanted.divergence).toBeCloseTo(1, 5)
      expect([...step.slopes.keys()]).toContain('l_encoder.encoder.fc_layers.Layer 0.0.weight')
      for (const [name, { shape: size, data }] of step.slopes) {
        const most = Math.max(0.01, ...data.map(Math.abs))
        for (let i = 0; i < data.length; i++) {
          const lossAt = (by: number) => {
            const moved = Float64Array.from(step.weights.get(name)!.data)
            moved[i]! += by
            const there: Weight = { shape: size, data: moved as unknown as Float32Array }
            return plainStep(new Map([...step.weights, [name, there]]), given).loss
          }
          const slope = (lossAt(1e-5) - lossAt(-1e-5)) / 2e-5
          expect(Math.abs(data[i]! - slope) / most, `${name} ${i}`).toBeLessThan(2e-4)
        }
      }
    })

  it('in SCANVI warms that divergence up with the rest, as the original does', async () => {
    const both: ScanviShape = { ...shape, classes: 2, linearClassifier: false }
    const task = { kind: 'scanvi', shape: both, classificationRatio: 50, hasLabels: false } as const
    const at = (weight: number) => oneStep(task, { cells, klWeight: weight, seed: 6 })
    const [none, some] = [await at(0), await at(0.4)]
    const perCell = some.told.divergence! / cells.batch.length
    expect(some.loss - none.loss).toBeCloseTo(0.4 * perCell, 3)
    expect(none.loss).toBeCloseTo(none.told.reconstruction! / cells.batch.length, 3)
  })
})

const wide = (batches: number) => ({
  weights: new Map<string, Weight>([
    ['library_log_means', { shape: [1, batches], data: new Float32Array(batches) }],
    ['library_log_vars', { shape: [1, batches], data: new Float32Array(batches).fill(1) }],
    ['other', { shape: [1], data: Float32Array.of(7) }],
  ]),
})

describe('what is usual of library sizes', () => {
  it('is the mean and variance of logarithms of sums in each batch; a batch without cells keeps what it has', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 1e6 })), {
          minLength: 1,
          maxLength: 40,
        }),
        (rows) => {
          const data = {
            library: Float32Array.from(rows, ([, total]) => total),
            categories: [Int32Array.from(rows, ([batch]) => batch)],
          }
          const { weights, guessed } = withLibraryPrior(wide(4).weights, { data })
          const [means, variances] = ['library_log_means', 'library_log_vars'].map(
            (of) => weights.get(of)!.data,
          )
          for (let batch = 0; batch < 4; batch++) {
            const logs = rows.filter(([of]) => of === batch).map(([, total]) => Math.log(Math.fround(total)))
            const mean = sum(logs) / Math.max(1, logs.length)
            const variance = sum(logs.map((one) => (one - mean) ** 2)) / Math.max(1, logs.length)
            expect(means![batch]).toBeCloseTo(mean, 4)
            if (logs.length === 0) expect(variances![batch]).toBe(1)
            else if (variance > 1.001e-4) expect(variances![batch]! / variance).toBeCloseTo(1, 3)
            else expect(guessed.includes(batch) || variance > 0.999e-4).toBe(true)
            expect(variances![batch]).toBeGreaterThan(0)
          }
          expect(weights.get('other')!.data).toEqual(Float32Array.of(7))
        },
      ),
    )
  })

  it('of a batch of one cell varies as in the others, and that is told', () => {
    const data = {
      library: Float32Array.of(10, 1000, 10, 100, 50),
      categories: [Int32Array.of(0, 0, 1, 1, 2)],
    }
    const { weights, guessed } = withLibraryPrior(wide(3).weights, { data })
    const [first, second, third] = weights.get('library_log_vars')!.data
    expect(guessed).toEqual([2])
    expect(third).toBeCloseTo((first! + second!) / 2, 5)
    const names = guessed.map((batch) => ['a', 'b', '__proto__'][batch]!)
    expect(priorNotices({ names, place: 'x' })).toEqual([
      expect.objectContaining({
        code: 'LIBRARY_PRIOR_GUESSED',
        problem: expect.stringContaining('__proto__'),
      }),
    ])
    expect(priorNotices({ names: [], place: 'x' })).toEqual([])
    const alike = { library: Float32Array.of(9, 9), categories: [Int32Array.of(0, 0)] }
    expect(withLibraryPrior(wide(1).weights, { data: alike }).weights.get('library_log_vars')!.data).toEqual(
      Float32Array.of(1),
    )
  })

  it('stays as it was for batches before those that are new, and for models that learn none', () => {
    const data = { library: Float32Array.of(10, 1000, 20, 30), categories: [Int32Array.of(0, 0, 1, 1)] }
    const { weights } = withLibraryPrior(wide(2).weights, { data, from: 1 })
    expect(weights.get('library_log_means')!.data[0]).toBe(0)
    expect(weights.get('library_log_means')!.data[1]).toBeCloseTo((Math.log(20) + Math.log(30)) / 2, 5)
    const without = new Map<string, Weight>([['other', { shape: [1], data: Float32Array.of(7) }]])
    expect(withLibraryPrior(without, { data })).toEqual({ weights: without, guessed: [] })
  })
})
