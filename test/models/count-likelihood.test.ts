import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Expression, input } from '../../lib/graph/expression.ts'
import { gradients } from '../../lib/graph/gradient.ts'
import { exp } from '../../lib/graph/operations/functions.ts'
import { float32, int64, type Tensor } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { type CountModel, type Likelihood, reconstructionLoss } from '../../lib/models/count-likelihood.ts'
import { compute, float64, numbersOf } from '../graph/compute.ts'
import { type PlainModel, plainLoss, plainLossOfCell } from './plain-likelihood.ts'

const likelihoods: readonly Likelihood[] = ['zinb', 'nb', 'poisson']
type Type = 'float32' | 'float64'

/** The loss and its gradients of a model whose dispersion is by gene, or of each cell and gene. */
async function lossAndSlopes(
  likelihood: Likelihood,
  model: PlainModel,
  { type, isByGene }: { type: Type; isByGene: boolean },
) {
  const [cells, genes] = [model.logits.length, model.logits[0]!.length]
  const dense = (name: string): Expression => input(name, { type, shape: ['cells', genes] })
  const parts: CountModel = {
    logits: dense('logits'),
    library: input('library', { type, shape: ['cells', 1] }),
    ...(likelihood !== 'poisson' && {
      logTheta: isByGene ? input('logTheta', { type, shape: [genes] }) : dense('logTheta'),
    }),
    ...(likelihood === 'zinb' && { dropout: dense('dropout') }),
  }
  const entries = {
    places: input('places', { type: 'int64', shape: ['entries'] }),
    genes: input('genes', { type: 'int64', shape: ['entries'] }),
    counts: input('counts', { type, shape: ['entries'] }),
    logs: dense('logs'),
  }
  const loss = reconstructionLoss(likelihood, parts, entries)
  const by = ['logits', 'logTheta', 'dropout'] as const
  const trained = by.flatMap((name) => (parts[name] === undefined ? [] : [parts[name]]))
  const slopes = gradients(loss, trained)
  const outputs = Object.fromEntries(trained.map(({ name }, i) => [`d ${name}`, slopes[i]!]))
  const tensor = (values: readonly number[], shape: number[]): Tensor =>
    type === 'float64' ? float64(values, shape) : float32(Float32Array.from(values), shape)
  const flat = model.counts.flat()
  const above = flat.flatMap((x, place) => (x > 0 ? [place] : []))
  const got = await compute(
    { loss, ...outputs },
    {
      logits: tensor(model.logits.flat(), [cells, genes]),
      library: tensor(model.library, [cells, 1]),
      logTheta: isByGene
        ? tensor(model.logTheta[0]!, [genes])
        : tensor(model.logTheta.flat(), [cells, genes]),
      dropout: tensor(model.dropout.flat(), [cells, genes]),
      places: int64(above),
      genes: int64(above.map((place) => place % genes)),
      counts: tensor(
        above.map((place) => flat[place]!),
        [above.length],
      ),
      logs: tensor(
        flat.map((x) => Math.log1p(x)),
        [cells, genes],
      ),
    },
  )
  const found = Object.fromEntries(
    by.flatMap((name) => (got[`d ${name}`] ? [[name, numbersOf(got[`d ${name}`])]] : [])),
  )
  return { loss: numbersOf(got.loss)[0]!, slopes: found as Partial<Record<(typeof by)[number], number[]>> }
}

/** Central differences of the plain loss; of a dispersion by gene, over all cells. */
function plainSlopes(likelihood: Likelihood, model: PlainModel, name: 'logits' | 'logTheta' | 'dropout') {
  const step = 1e-5
  return model[name].map((row, cell) =>
    row.map((value, gene) => {
      const moved = (by: number) => {
        const rows = model[name].map((one) => [...one])
        rows[cell]![gene] = value + by
        return plainLossOfCell(likelihood, { ...model, [name]: rows }, cell)
      }
      return (moved(step) - moved(-step)) / (2 * step)
    }),
  )
}

function columnSums(rows: readonly (readonly number[])[]): number[] {
  return rows[0]!.map((_, gene) => rows.reduce((sum, row) => sum + row[gene]!, 0))
}

interface Drawn {
  cells: number
  genes: number
  /** powers of ten */
  theta: readonly [number, number]
  isByGene: boolean
  /** how far logits lie apart */
  spread?: number
  counts(draw: () => number, cell: number, gene: number): number
}

function drawn(seed: number, { cells, genes, theta, isByGene, spread = 3, counts }: Drawn): PlainModel {
  const draw = random(seed)
  const table = (of: (cell: number, gene: number) => number) =>
    Array.from({ length: cells }, (_, cell) =>
      Array.from({ length: genes }, (__, gene) => Math.fround(of(cell, gene))),
    )
  const between = ([low, high]: readonly [number, number]) =>
    Math.log(10) * (low + (high - low) * draw.uniform())
  const byGene = Array.from({ length: genes }, () => between(theta))
  const found = table((cell, gene) => counts(draw.uniform, cell, gene))
  return {
    logits: table(() => spread * draw.normal()),
    library: found.map((row) =>
      Math.max(
        1,
        row.reduce((sum, x) => sum + x, 0),
      ),
    ),
    logTheta: table((_, gene) => (isByGene ? byGene[gene]! : between(theta))),
    dropout: table(() => 3 * draw.normal()),
    counts: found,
  }
}

const few = (draw: () => number) => (draw() < 0.7 ? 0 : Math.ceil(12 * draw()))

describe('the loss of counts', () => {
  for (const likelihood of likelihoods)
    for (const isByGene of [true, false])
      it(`${likelihood}, dispersion ${isByGene ? 'by gene' : 'of each count'}: value and gradients are those of the definition`, async () => {
        const plan = { cells: 5, genes: 6, theta: [-2, 3], isByGene, counts: few } as const
        const model = drawn(isByGene ? 3 : 4, plan)
        const { loss, slopes } = await lossAndSlopes(likelihood, model, { type: 'float64', isByGene })
        // three terms of Stirling's series: what log-gamma lacks
        expect(Math.abs(loss - plainLoss(likelihood, model))).toBeLessThan(1e-5)
        for (const [name, slope] of Object.entries(slopes)) {
          const rows = plainSlopes(likelihood, model, name as 'logits')
          const exact = name === 'logTheta' && isByGene ? columnSums(rows) : rows.flat()
          for (const [i, one] of exact.entries())
            expect(Math.abs(slope[i]! - one), `${name} ${i}`).toBeLessThan(2e-6)
        }
        expect(Object.keys(slopes)).toHaveLength({ zinb: 3, nb: 2, poisson: 1 }[likelihood])
      })

  for (const likelihood of ['zinb', 'nb'] as const)
    for (let power = -4; power < 7; power++)
      it(`${likelihood} holds in float32 for theta from 1e${power} to 1e${power + 1}`, async () => {
        const many = (draw: () => number) => (draw() < 0.6 ? 0 : Math.floor(10 ** (3.5 * draw())))
        const theta = [power, power + 1] as const
        const model = drawn(20 + power, { cells: 6, genes: 25, theta, isByGene: true, counts: many })
        const { loss, slopes } = await lossAndSlopes(likelihood, model, { type: 'float32', isByGene: true })
        const exact = plainLoss(likelihood, model)
        expect(Math.abs(loss / exact - 1)).toBeLessThan(3e-6)
        for (const [name, slope] of Object.entries(slopes)) {
          const rows = plainSlopes(likelihood, model, name as 'logits')
          const wanted = name === 'logTheta' ? columnSums(rows) : rows.flat()
          const scale = Math.max(1, ...wanted.map(Math.abs))
          // near Poisson the slope by theta is the small rest of two parts as large as the gene's counts
          const parts = name === 'logTheta' ? columnSums(model.counts) : wanted.map(() => 0)
          for (const [i, one] of wanted.entries())
            expect(Math.abs(slope[i]! - one), `${name} ${i}`).toBeLessThan(2e-5 * scale + 2e-6 * parts[i]!)
        }
      })

  it('holds for means from 1e-30 to 100,000 and counts as large', async () => {
    const odd = (draw: () => number, cell: number, gene: number) =>
      gene === 0 ? 100_000 : gene === cell ? 0 : Math.floor(3 * draw())
    const model = drawn(9, { cells: 4, genes: 8, theta: [-1, 3], isByGene: false, spread: 25, counts: odd })
    for (const likelihood of likelihoods) {
      const { loss, slopes } = await lossAndSlopes(likelihood, model, { type: 'float32', isByGene: false })
      expect(Math.abs(loss / plainLoss(likelihood, model) - 1), likelihood).toBeLessThan(1e-5)
      for (const slope of Object.values(slopes)) expect(slope.every(Number.isFinite)).toBe(true)
      const exact = plainSlopes(likelihood, model, 'logits').flat()
      const scale = Math.max(...exact.map(Math.abs))
      for (const [i, one] of exact.entries())
        expect(Math.abs(slopes.logits![i]! - one) / scale, `${likelihood} ${i}`).toBeLessThan(2e-5)
    }
  })

  it('takes cells with one count and cells with none', async () => {
    const single = (_: () => number, cell: number, gene: number) => (cell === 1 && gene === 3 ? 7 : 0)
    const model = drawn(5, { cells: 3, genes: 7, theta: [-1, 2], isByGene: true, counts: single })
    for (const likelihood of likelihoods) {
      const { loss, slopes } = await lossAndSlopes(likelihood, model, { type: 'float32', isByGene: true })
      expect(Math.abs(loss / plainLoss(likelihood, model) - 1)).toBeLessThan(1e-5)
      expect(Object.values(slopes).flat().every(Number.isFinite)).toBe(true)
    }
    const nothing = drawn(6, { cells: 2, genes: 7, theta: [-1, 2], isByGene: true, counts: () => 0 })
    const { loss } = await lossAndSlopes('zinb', nothing, { type: 'float32', isByGene: true })
    expect(Math.abs(loss / plainLoss('zinb', nothing) - 1)).toBeLessThan(1e-5)
  })

  it('holds where an extra zero is beyond doubt, or beyond belief', async () => {
    const base = drawn(7, { cells: 3, genes: 5, theta: [-1, 6], isByGene: true, counts: few })
    for (const logit of [-300, -90, -40, 40, 90, 300]) {
      const model = { ...base, dropout: base.dropout.map((row) => row.map(() => logit)) }
      const { loss, slopes } = await lossAndSlopes('zinb', model, { type: 'float32', isByGene: true })
      const [value, counts] = [plainLoss('zinb', model), model.counts.flat().length]
      // what float32 keeps of the odds
      const rounding = 2e-7 * Math.abs(logit) * counts
      expect(Math.abs(loss - value), `${logit}`).toBeLessThan(1e-5 * value + rounding)
      const exact = plainSlopes('zinb', model, 'dropout').flat()
      for (const [i, one] of exact.entries())
        expect(Math.abs(slopes.dropout![i]! - one), `${logit}: ${i}`).toBeLessThan(1e-5)
    }
  })

  it('does not depend on how many genes there are together, a prime number of them among them', async () => {
    for (const genes of [1, 2, 31, 37, 64, 97]) {
      const model = drawn(genes, { cells: 3, genes, theta: [-1, 2], isByGene: true, counts: few })
      const { loss } = await lossAndSlopes('zinb', model, { type: 'float32', isByGene: true })
      expect(Math.abs(loss - plainLoss('zinb', model)) / Math.max(1, Math.abs(loss))).toBeLessThan(1e-5)
    }
  })

  it('is no number where a logit is none, and says so in the gradients', async () => {
    const model = drawn(8, { cells: 2, genes: 4, theta: [0, 1], isByGene: true, counts: few })
    const logits = model.logits.map((row, cell) =>
      row.map((one, gene) => (cell + gene === 0 ? Number.NaN : one)),
    )
    const { loss, slopes } = await lossAndSlopes(
      'zinb',
      { ...model, logits },
      { type: 'float32', isByGene: true },
    )
    expect(loss).toBeNaN()
    expect(slopes.logits![0]).toBeNaN()
  })

  it('is the same of whatever model, in float64 and by definition', async () => {
    const power = fc.double({ min: -4, max: 7, noNaN: true })
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), power, fc.constantFrom(...likelihoods), async (seed, at, likelihood) => {
        const plan = { cells: 2, genes: 3, theta: [at, at] as const, isByGene: true, counts: few }
        const model = drawn(seed, plan)
        const { loss } = await lossAndSlopes(likelihood, model, { type: 'float64', isByGene: true })
        expect(Math.abs(loss - plainLoss(likelihood, model)) / Math.max(1, Math.abs(loss))).toBeLessThan(1e-5)
      }),
      { numRuns: 30, seed: 12 },
    )
  })

  it('refuses a model that lacks a part', () => {
    const dense = input('logits', { type: 'float32', shape: ['cells', 3] })
    const library = input('library', { type: 'float32', shape: ['cells', 1] })
    const of = input('entries', { type: 'float32', shape: ['entries'] })
    const entries = { places: of, genes: of, counts: of, logs: dense }
    const model = { logits: dense, library, logTheta: exp(dense) }
    expect(() => reconstructionLoss('zinb', model, entries)).toThrow('zinb lacks a part')
    expect(() => reconstructionLoss('nb', { ...model, dropout: dense }, entries)).toThrow('nb lacks a part')
  })
})
