/** Laws and twins of what a trained model gives: shares are shares, losses of cells add up to those of training, and what cannot be fed is refused. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { graphOf } from '../../lib/graph/emit.ts'
import { type Expression, input } from '../../lib/graph/expression.ts'
import { wholeFeeds } from '../../lib/graph/feeds.ts'
import { writeModel } from '../../lib/graph/onnx-write.ts'
import { openSession } from '../../lib/graph/session.ts'
import { float32, type Tensor } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { type Likelihood, reconstructionLoss } from '../../lib/models/count-likelihood.ts'
import { reconstructionByCell } from '../../lib/models/count-likelihood-by-cell.ts'
import { logFactorials } from '../../lib/models/log-factorial.ts'
import { builder } from '../../lib/models/network.ts'
import type { NetworkTask } from '../../lib/models/network-task.ts'
import type { ScanviShape } from '../../lib/models/scanvi-network.ts'
import { scviInference } from '../../lib/models/scvi-inference.ts'
import type { ScviModel } from '../../lib/models/scvi-model.ts'
import { cellsOf } from '../../lib/models/scvi-network.ts'
import type { CellCovariates } from '../../lib/models/slab-feeds.ts'
import { slabOf } from './golden-scvi.ts'
import { oneStep, stepCells } from './one-step.ts'
import { smallShape, toyScvi } from './toy-scvi.ts'

const options = { place: 'cells.h5ad, X', threads: 1, notices: [] }
const genes = 12

const refused = (code: string, place: RegExp, problem: RegExp) =>
  expect.objectContaining({
    name: 'BadInput',
    code,
    place: expect.stringMatching(place),
    problem: expect.stringMatching(problem),
  })

/** Some cells without counts among them. */
function someCells(rows: number, seed: number) {
  const chance = random(seed)
  return slabOf(
    Array.from({ length: rows }, (_, row) =>
      Array.from({ length: genes }, (_, index) => ({
        index,
        value: chance.integer(4) * chance.integer(5),
      })).filter(({ value }) => row % 5 !== 3 && (value > 0 || chance.integer(9) === 0)),
    ),
    genes,
  )
}

function someCovariates(
  rows: number,
  { categories = [2], continuous = 0, labels = 0 }: Partial<ScanviShape>,
): CellCovariates {
  const chance = random(rows)
  const codes = (count: number) => Int32Array.from({ length: rows }, () => chance.integer(count))
  return {
    categories: categories.map(codes),
    continuous: Float32Array.from({ length: rows * continuous }, () => chance.normal()),
    ...(labels > 0 && { labels: codes(labels) }),
  }
}

const shapes: [string, Partial<ScanviShape>][] = [
  ['scVI as it comes', {}],
  [
    'scVI for surgery',
    { layers: 2, encodeCovariates: true, deeplyInject: false, batchNorm: 'none', layerNorm: 'both' },
  ],
  [
    'negative binomial by batch, with covariates',
    {
      likelihood: 'nb',
      dispersion: 'gene-batch',
      categories: [3, 1, 2],
      continuous: 2,
      encodeCovariates: true,
    },
  ],
  ['by cell', { dispersion: 'gene-cell', layers: 3 }],
  ['with learned library sizes', { library: 'learned', categories: [3], encodeCovariates: true }],
  ['SCANVI with learned library sizes', { library: 'learned', classes: 2, likelihood: 'nb' }],
  ['in a logistic normal space', { latentDistribution: 'ln', layers: 2 }],
  ['SCANVI in a logistic normal space', { latentDistribution: 'ln', classes: 3 }],
  ['by label', { dispersion: 'gene-label', labels: 3 }],
  ['Poisson, one batch', { likelihood: 'poisson', categories: [1] }],
  ['SCANVI', { classes: 3, categories: [2, 2], encodeCovariates: true }],
  ['SCANVI with a line for a classifier', { classes: 4, linearClassifier: true, likelihood: 'nb' }],
  ['SCANVI with one label', { classes: 1, layers: 2 }],
]

describe.each(shapes)('%s', (_, shape) => {
  const model = toyScvi(shape)
  const slab = someCells(23, 4)
  const covariates = someCovariates(23, model.shape)

  it('has posteriors, shares that add up to one, and losses that are numbers, also of cells without counts', async () => {
    const inference = scviInference(model, options)
    const { mean, variance, logits } = await inference.posterior(slab, covariates)
    expect(mean.every(Number.isFinite) && variance.every((one) => one >= 1e-4)).toBe(true)
    expect(logits?.length).toBe(model.kind === 'scanvi' ? 23 * model.shape.classes : undefined)
    const { share, dropout, logTheta } = await inference.decode(mean, { covariates, start: 0 })
    for (let row = 0; row < 23; row++) {
      const sum = share.subarray(row * genes, (row + 1) * genes).reduce((all, one) => all + one, 0)
      expect(sum).toBeCloseTo(1, 5)
    }
    const { likelihood, dispersion } = model.shape
    expect(dropout?.length).toBe(likelihood === 'zinb' ? 23 * genes : undefined)
    expect(logTheta?.length).toBe(
      likelihood === 'poisson' ? undefined : dispersion === 'gene' ? genes : 23 * genes,
    )
    const { reconstruction, divergence } = await inference.losses(slab, covariates, { seed: 1 })
    expect(reconstruction.every(Number.isFinite) && divergence.every((one) => one > -1e-5)).toBe(true)
    const expressed = await inference.expression(slab, covariates, { librarySize: 'own' })
    const library = Array.from({ length: 23 }, (_, row) =>
      total(slab.values.subarray(slab.indptr[row], slab.indptr[row + 1])),
    )
    for (const [i, value] of expressed.entries())
      expect(value).toBeCloseTo(share[i]! * library[Math.floor(i / genes)]!, 4)
    await inference.close()
  })
})

const total = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0)

describe('losses of cells', () => {
  it.each<[Likelihood, boolean]>([
    ['zinb', false],
    ['zinb', true],
    ['nb', false],
    ['nb', true],
    ['poisson', false],
  ])('of %s add up to the loss of training (dispersion by cell: %s)', async (likelihood, isByCell) => {
    const [rows, chance] = [7, random(3)]
    const dense = ['cells', genes] as const
    const given = (name: string, shape: readonly (string | number)[]) =>
      input(name, { type: 'float32', shape })
    const { entries, library } = cellsOf(builder('inference', { feeds: wholeFeeds() }), smallShape)
    const model = {
      logits: given('logits', dense),
      library,
      ...(likelihood !== 'poisson' && { logTheta: given('logTheta', isByCell ? dense : [genes]) }),
      ...(likelihood === 'zinb' && { dropout: given('dropout', dense) }),
    }
    const outputs: Record<string, Expression> = {
      sum: reconstructionLoss(likelihood, model, entries),
      each: reconstructionByCell(likelihood, model, entries),
    }
    const graph = graphOf('twin', outputs)
    const session = await openSession(writeModel(graph), options)
    const normal = (length: number, scale = 1) => Float32Array.from({ length }, () => scale * chance.normal())
    const places = Int32Array.from({ length: rows * genes }, (_, i) => i).filter(
      () => chance.integer(3) === 0,
    )
    const fed: Record<string, Tensor> = {
      places: { type: 'int32', shape: [places.length], data: places },
      genes: { type: 'int32', shape: [places.length], data: places.map((place) => place % genes) },
      counts: float32(Float32Array.from(places, () => 1 + chance.integer(50))),
      logits: float32(normal(rows * genes), [rows, genes]),
      library: float32(
        Float32Array.from({ length: rows }, () => 50 + chance.integer(500)),
        [rows, 1],
      ),
      logTheta: isByCell ? float32(normal(rows * genes, 3), [rows, genes]) : float32(normal(genes, 3)),
      dropout: float32(normal(rows * genes, 2), [rows, genes]),
    }
    const got = await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, fed[name]!])))
    await session.close()
    const each = got.each!.data as Float32Array
    expect(each).toHaveLength(rows)
    expect(total(each) / Number(got.sum!.data[0])).toBeCloseTo(1, 5)
  })

  it('hold log x!, which is right to twelve digits', () => {
    const of = logFactorials()
    expect([0, 1, 2, 3].map(of)).toEqual([0, 0, Math.log(2), Math.log(2) + Math.log(3)])
    fc.assert(
      fc.property(fc.double({ min: 0, max: 5000, noNaN: true }), (x) => {
        // x! = x (x - 1)!, whole or not
        expect(of(x + 1)).toBeCloseTo(of(x) + Math.log(x + 1), 9)
      }),
    )
    // gamma(3/2)
    expect(of(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI) / 2), 12)
    expect(of(1e6)).toBeCloseTo(12815518.384658169, 5)
  })
})

describe('a learned library size', () => {
  const change = { library: 'learned', encodeCovariates: true, batchNorm: 'none', dropout: 0 } as const
  const model = toyScvi(change)
  const rows = stepCells(4, { cells: 9, genes, labels: 2 })
  const slab = slabOf(
    rows.counts.map((row) => row.flatMap((value, index) => (value > 0 ? [{ index, value }] : []))),
    genes,
  )
  const covariates = { categories: [Int32Array.from(rows.batch)] }

  it('multiplies shares where it is asked for; the size that is counted does so of models that learn none', async () => {
    const { library: _, ...observed } = model.shape
    const [learning, counting] = [
      scviInference(model, options),
      scviInference({ ...model, shape: observed } as ScviModel, options),
    ]
    const [one, latent] = [
      await learning.expression(slab, covariates),
      await learning.expression(slab, covariates, { librarySize: 'latent' }),
    ]
    for (const [cell, row] of rows.counts.entries()) {
      const size = Math.exp(logSize(row, rows.batch[cell]!))
      for (let gene = 0; gene < genes; gene++)
        expect(latent[cell * genes + gene]! / one[cell * genes + gene]! / size).toBeCloseTo(1, 4)
    }
    const own = await counting.expression(slab, covariates, { librarySize: 'own' })
    expect(await counting.expression(slab, covariates, { librarySize: 'latent' })).toEqual(own)
    expect(await learning.expression(slab, covariates, { librarySize: 'own' })).toEqual(own)
    const draws = { count: 3, seed: 8 }
    // draws of z are those of the model without
    expect(await learning.expression(slab, covariates, { draws })).toEqual(
      await counting.expression(slab, covariates, { draws }),
    )
    const drawn = await learning.expression(slab, covariates, { draws, librarySize: 'latent' })
    expect(drawn).not.toEqual(latent)
    expect(await learning.expression(slab, covariates, { draws, librarySize: 'latent' })).toEqual(drawn)
    await learning.close()
    await counting.close()
  })

  /** the mean of the logarithm, by hand */
  function logSize(counts: readonly number[], batch: number): number {
    const of = (name: string) => model.weights.get(`l_encoder.${name}`)!.data
    const seen = [...counts.map(Math.log1p), Number(batch === 0), Number(batch === 1)]
    const [first, start] = [of('encoder.fc_layers.Layer 0.0.weight'), of('encoder.fc_layers.Layer 0.0.bias')]
    const [last, end] = [of('mean_encoder.weight'), of('mean_encoder.bias')]
    return Array.from(start, (bias, unit) =>
      Math.max(
        0,
        seen.reduce((sum, x, i) => sum + x * first[unit * seen.length + i]!, bias),
      ),
    ).reduce((sum, h, unit) => sum + h * last[unit]!, end[0]!)
  }

  it.each([
    ['scVI', {}],
    ['SCANVI', { classes: 2 }],
    ['SCANVI with dispersions by label', { classes: 2, dispersion: 'gene-label', labels: 2 }],
  ] as const)(
    '%s: has a part in losses, which add up to those of a training step without noise',
    async (_name, more) => {
      const { kind, shape } = toyScvi({ ...change, ...more })
      const task =
        kind === 'scvi' ? { kind, shape } : { kind, shape, classificationRatio: 1, hasLabels: false }
      const step = await oneStep(task as NetworkTask, { cells: rows, klWeight: 1, seed: 3, isNoisy: false })
      const made = { ...toyScvi({ ...change, ...more }), weights: step.weights }
      const inference = scviInference(made, options)
      const labels = Int32Array.from(rows.label)
      const { reconstruction, divergence } = await inference.losses(slab, { ...covariates, labels })
      await inference.close()
      const logFactorial = logFactorials()
      const constant = total(rows.counts.flat().map(logFactorial))
      expect((total(reconstruction) - constant) / step.told.reconstruction!).toBeCloseTo(1, 4)
      expect(total(divergence) / step.told.divergence!).toBeCloseTo(1, 4)
    },
  )
})

describe('what cannot be fed', () => {
  const slab = someCells(6, 9)
  const withValue = (value: number) => ({
    ...slab,
    start: 100,
    values: Float32Array.from(slab.values, (old, i) => (i === 7 ? value : old)),
  })

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])(
    'a count of %s is refused, and the cell named',
    async (value) => {
      const inference = scviInference(toyScvi(), options)
      const at = inference.posterior(withValue(value), { categories: [] })
      await expect(at).rejects.toThrow(refused('COUNTS_NEEDED', /X, cell 10[01]$/, /is no count/))
      await inference.close()
    },
  )

  it('a batch that the model does not know is refused where it counts, and not looked at where it does not', async () => {
    const covariates = { categories: [Int32Array.of(0, 1, 0, -1, 0, 1)] }
    const blind = scviInference(toyScvi(), options)
    expect((await blind.posterior(slab, covariates)).mean).toHaveLength(18)
    expect(await blind.expression(slab, covariates, { batches: [0, 1] })).toHaveLength(6 * genes)
    const named = refused('MODEL_CATEGORY', /X, cell 3$/, /batch is none of the 2/)
    await expect(blind.expression(slab, covariates)).rejects.toThrow(named)
    await expect(blind.expression(slab, covariates, { batches: [2] })).rejects.toThrow(RangeError)
    await blind.close()
    const seeing = scviInference(toyScvi({ encodeCovariates: true }), options)
    await expect(seeing.posterior(slab, covariates)).rejects.toThrow(named)
    await seeing.close()
  })

  it('a covariate that is no number is refused', async () => {
    const inference = scviInference(toyScvi({ continuous: 2, encodeCovariates: true }), options)
    const continuous = new Float32Array(12).fill(1)
    continuous[5] = Number.NaN
    const at = inference.posterior(slab, { categories: [new Int32Array(6)], continuous })
    await expect(at).rejects.toThrow(refused('MODEL_COVARIATE', /cell 2$/, /no number/))
    await inference.close()
  })

  it('a slab of other genes, covariates of fewer cells, or no draws are mistakes of the caller', async () => {
    const inference = scviInference(toyScvi({ encodeCovariates: true }), options)
    const covariates = { categories: [new Int32Array(5)] }
    await expect(inference.posterior(slabOf([[]], 3), covariates)).rejects.toThrow(
      /3 genes for a model of 12/,
    )
    await expect(inference.posterior(slab, covariates)).rejects.toThrow(/cells up to 6 are not given/)
    const none = inference.expression(slab, covariates, { draws: { count: 0, seed: 1 } })
    await expect(none).rejects.toThrow(RangeError)
    await inference.close()
  })

  it('no cells are no mistake: nothing comes back', async () => {
    const inference = scviInference(toyScvi({ classes: 2 }), options)
    const { mean, logits } = await inference.posterior(slabOf([], genes), { categories: [] })
    expect([mean.length, logits?.length]).toEqual([0, 0])
    const { reconstruction, divergence } = await inference.losses(slabOf([], genes), { categories: [] })
    expect([reconstruction.length, divergence.length]).toEqual([0, 0])
    await inference.close()
  })
})
