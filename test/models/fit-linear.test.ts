import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { fitLinear, type LinearFit } from '../../lib/models/fit-linear.ts'
import { standardise, type TrainingRows } from '../../lib/models/standardised-cells.ts'
import { toyCounts } from '../support/installation.ts'
import { denseOf, largestSlope, objectiveOf, sparseOf, standardised } from './dense-objective.ts'
import { labelledCells } from './labelled-cells.ts'
import { fitLogistic } from './plain-logistic.ts'

const losses = ['ovr', 'multinomial'] as const
const rounded = (values: Iterable<number>, digits = 6): number[] =>
  Array.from(values, (value) => Number(value.toFixed(digits)) + 0)
const apart = (a: Float64Array, b: Float64Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)
const same = (a: LinearFit, b: LinearFit): void => {
  expect(Buffer.from(a.weights.buffer).equals(Buffer.from(b.weights.buffer))).toBe(true)
  expect([...a.intercept]).toEqual([...b.intercept])
  expect([a.objective, a.gradient, a.steps]).toEqual([b.objective, b.gradient, b.steps])
}

/** O1: 12 cells of 3 types, 4 genes, counts of 20 a cell */
const toyCodes = Int32Array.from([2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1, 1])
const toy = sparseOf(toyCounts.map((row) => row.map((count) => Math.log1p((count / 20) * 1e4))))

describe('the toy of three blood cell types', () => {
  it('has the weights, intercepts and objectives that Newton in float64 reaches', async () => {
    const fit = await fitLinear(toy, { codes: toyCodes, labels: 3, loss: 'ovr', tolerance: 1e-16 })
    expect(rounded(fit.weights)).toEqual([
      ...[-0.59936, 1.133206, -0.6286, -0.055566],
      ...[-0.677917, -0.481981, 1.161901, 0.204023],
      ...[1.175467, -0.686843, -0.51851, -0.102422],
    ])
    expect(rounded(fit.intercept)).toEqual([-1.172165, -1.078893, -1.217752])
    expect(fit.objective).toBeCloseTo(4.460227 + 4.784776 + 3.902705, 5)
    expect(rounded(fit.mean)).toEqual([3.818147, 4.393877, 4.969606, 8.551022])
    expect(rounded(fit.scale)).toEqual([3.88433, 3.786514, 3.595056, 0.175455])
  })
})

describe.each(losses)('a fit of %s', (loss) => {
  it('lies where the objective, written down plainly, has no slope', async () => {
    const sizes = fc.record({
      seed: fc.integer({ min: 0, max: 2 ** 31 }),
      labels: fc.integer({ min: 2, max: 7 }),
      genes: fc.integer({ min: 1, max: 9 }),
      more: fc.integer({ min: 0, max: 40 }),
      strength: fc.constantFrom(0.01, 1, 30),
      clip: fc.constantFrom(1, 10, Number.POSITIVE_INFINITY),
      centre: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(sizes, async ({ seed, labels, genes, more, strength, clip, centre }) => {
        const { cells, codes } = labelledCells(random(seed), { rows: labels + more, genes, labels })
        const question = { codes, labels, loss, strength }
        const fit = await fitLinear(cells, { ...question, clip, centre, tolerance: 1e-14 })
        const objective = objectiveOf(standardised(denseOf(cells), { ...fit, clip }), question)
        expect(Math.abs(objective(fit) / fit.objective - 1)).toBeLessThan(1e-6)
        expect(largestSlope(objective, fit)).toBeLessThan(2e-5 * (1 + fit.objective))
        expect(fit.above).toBeLessThanOrEqual(1e-14)
      }),
      { numRuns: 40, seed: 11 },
    )
  })

  it('takes more labels than fit in a panel, some of one cell alone', async () => {
    const { cells, codes } = labelledCells(random(5), { rows: 70, genes: 12, labels: 29 })
    const question = { codes, labels: 29, loss, strength: 1 }
    const fit = await fitLinear(cells, { ...question, tolerance: 1e-13 })
    const objective = objectiveOf(standardised(denseOf(cells), fit), question)
    expect(objective(fit)).toBeCloseTo(fit.objective, 5)
    expect(largestSlope(objective, fit)).toBeLessThan(1e-4)
  })

  it('is permuted as cells and genes are', async () => {
    const { cells, codes } = labelledCells(random(2), { rows: 200, genes: 30, labels: 4 })
    const options = { labels: 4, loss, tolerance: 1e-14 }
    const straight = await fitLinear(cells, { ...options, codes })
    const draw = random(3)
    const order = draw.shuffle([...codes.keys()])
    const genes = draw.shuffle(Array.from({ length: 30 }, (_, gene) => gene))
    const dense = denseOf(cells)
    const mixed = await fitLinear(sparseOf(order.map((row) => genes.map((gene) => dense[row]![gene]!))), {
      ...options,
      codes: Int32Array.from(order, (row) => codes[row]!),
    })
    const expected = Float64Array.from(mixed.weights, (_, i) => {
      const [head, place] = [Math.floor(i / 30), i % 30]
      return straight.weights[head * 30 + genes[place]!]!
    })
    expect(apart(mixed.weights, expected)).toBeLessThan(1e-5)
    expect(apart(mixed.intercept, straight.intercept)).toBeLessThan(1e-5)
    expect(Math.abs(mixed.objective / straight.objective - 1)).toBeLessThan(1e-12)
  })

  it('is the same bytes again, and with any number of threads', async () => {
    const { cells, codes } = labelledCells(random(7), { rows: 2500, genes: 300, labels: 30, density: 0.5 })
    expect(cells.indices.length).toBeGreaterThan(300_000)
    const options = { codes, labels: 30, loss, tolerance: 1e-6 }
    const alone = await fitLinear(cells, { ...options, threads: 1 })
    same(await fitLinear(cells, { ...options, threads: 1 }), alone)
    same(await fitLinear(cells, { ...options, threads: 2 }), alone)
    same(await fitLinear(cells, { ...options, threads: 3 }), alone)
  })

  it('is that of the dense table, float32 or float64', async () => {
    const { cells, codes } = labelledCells(random(9), { rows: 150, genes: 25, labels: 3 })
    const single = { ...cells, values: Float32Array.from(cells.values) }
    const options = { codes, labels: 3, loss, tolerance: 1e-14 }
    const fit = await fitLinear(single, options)
    for (const twin of [
      { ...single, values: Float64Array.from(single.values) },
      sparseOf(denseOf(single), { keepZeros: true }),
    ]) {
      const other = await fitLinear(twin, options)
      expect(apart(other.weights, fit.weights)).toBeLessThan(1e-6)
      expect(Math.abs(other.objective / fit.objective - 1)).toBeLessThan(1e-7)
    }
  })

  it('reads values below zero and zeros that are clipped', async () => {
    const draw = random(4)
    const dense = Array.from({ length: 40 }, () =>
      Array.from({ length: 3 }, () => (draw.uniform() < 0.1 ? 0 : -5 + 0.1 * draw.normal())),
    )
    const codes = Int32Array.from(dense.keys(), (cell) => cell % 3)
    const question = { codes, labels: 3, loss, strength: 1 }
    const fit = await fitLinear(sparseOf(dense), { ...question, clip: 1.5, tolerance: 1e-14 })
    const z = standardised(dense, { ...fit, clip: 1.5 })
    expect(z.flat().filter((value) => value === 1.5).length).toBeGreaterThan(3)
    const objective = objectiveOf(z, question)
    expect(objective(fit)).toBeCloseTo(fit.objective, 7)
    expect(largestSlope(objective, fit)).toBeLessThan(1e-5)
  })

  it('begins anywhere and ends at the same optimum, sooner from near it', async () => {
    const { cells, codes } = labelledCells(random(8), { rows: 300, genes: 40, labels: 5 })
    const options = { codes, labels: 5, loss, tolerance: 1e-13 }
    const fit = await fitLinear(cells, options)
    const near = await fitLinear(cells, { ...options, start: fit })
    expect(near.steps).toBeLessThanOrEqual(1)
    const far = await fitLinear(cells, {
      ...options,
      start: { weights: fit.weights.map((w, i) => w + Math.sin(i)), intercept: new Float64Array(5).fill(3) },
    })
    expect(apart(far.weights, fit.weights)).toBeLessThan(1e-5)
    expect(apart(far.intercept, fit.intercept)).toBeLessThan(1e-4)
  })

  it('converges where labels are told apart without error', async () => {
    const dense = Array.from({ length: 60 }, (_, cell) =>
      [0, 1, 2].map((gene) => (cell % 3 === gene ? 5 : 0)),
    )
    const codes = Int32Array.from(dense.keys(), (cell) => cell % 3)
    for (const strength of [1, 1e6]) {
      const fit = await fitLinear(sparseOf(dense), { codes, labels: 3, loss, strength })
      expect(fit.above).toBeLessThanOrEqual(1e-10)
      expect(fit.weights.every(Number.isFinite)).toBe(true)
    }
  })

  it('gives genes that are the same everywhere no weight', async () => {
    const { cells, codes } = labelledCells(random(6), { rows: 80, genes: 5, labels: 3 })
    const dense = denseOf(cells).map((row) => [3.7, ...row, 0])
    const fit = await fitLinear(sparseOf(dense), { codes, labels: 3, loss, tolerance: 1e-12 })
    const without = await fitLinear(cells, { codes, labels: 3, loss, tolerance: 1e-12 })
    for (const head of [0, 1, 2]) {
      expect(Math.abs(fit.weights[head * 7]!)).toBeLessThan(1e-9)
      expect(fit.weights[head * 7 + 6]).toBe(0)
    }
    expect(fit.objective).toBeCloseTo(without.objective, 8)
    expect([fit.scale[0], fit.scale[6]]).toEqual([1, 1])
  })

  it('fits two cells of one gene', async () => {
    const question = { codes: Int32Array.of(0, 1), labels: 2, loss, strength: 1 }
    const fit = await fitLinear(sparseOf([[0], [2]]), { ...question, tolerance: 1e-15 })
    expect([fit.weights.length, fit.intercept.length]).toEqual([1, 1])
    expect(fit.weights[0]).toBeGreaterThan(0)
    expect(largestSlope(objectiveOf([[-1], [1]], question), fit)).toBeLessThan(1e-6)
  })

  it('uses the means and scales it is given', async () => {
    const { cells, codes } = labelledCells(random(12), { rows: 90, genes: 6, labels: 3 })
    const half = { ...cells, rows: 45, indptr: cells.indptr.slice(0, 46) }
    const standard = standardise(cells)
    const question = { codes: codes.slice(0, 45), labels: 3, loss, strength: 2 }
    const fit = await fitLinear(half, { ...question, standard, tolerance: 1e-14 })
    expect(fit.mean).toEqual(standard.mean)
    const objective = objectiveOf(standardised(denseOf(half), standard), question)
    expect(largestSlope(objective, fit)).toBeLessThan(1e-5)
  })
})

describe('one-vs-rest', () => {
  it('is what a plain fit of each label alone gives', async () => {
    const { cells, codes } = labelledCells(random(1), { rows: 400, genes: 60, labels: 5 })
    const fit = await fitLinear(cells, { codes, labels: 5, loss: 'ovr', tolerance: 1e-14 })
    const standard = standardise(cells)
    for (let head = 0; head < 5; head++) {
      const signs = Int8Array.from(codes, (code) => (code === head ? 1 : -1))
      const one = await fitLogistic(standard, signs, { tolerance: 1e-10 })
      expect(apart(one.weights, fit.weights.subarray(60 * head, 60 * (head + 1)))).toBeLessThan(1e-6)
      expect(fit.intercept[head]).toBeCloseTo(one.intercept, 5)
    }
  })
})

describe('a softmax', () => {
  it('has weights of each gene, and intercepts, that add up to nothing', async () => {
    const { cells, codes } = labelledCells(random(1), { rows: 200, genes: 20, labels: 6 })
    const fit = await fitLinear(cells, { codes, labels: 6, loss: 'multinomial', tolerance: 1e-14 })
    for (let gene = 0; gene < 20; gene++) {
      const sum = [0, 1, 2, 3, 4, 5].reduce((all, head) => all + fit.weights[head * 20 + gene]!, 0)
      expect(Math.abs(sum)).toBeLessThan(1e-5)
    }
    expect(Math.abs(fit.intercept.reduce((all, value) => all + value, 0))).toBeLessThan(1e-9)
  })
})

describe('what cannot be trained on', () => {
  const codes = Int32Array.of(0, 1, 1)
  const cells = sparseOf([[1], [2], [3]])
  const refused = (changed: Partial<TrainingRows>, options: { codes?: Int32Array; labels?: number } = {}) =>
    fitLinear({ ...cells, ...changed }, { codes, labels: 2, loss: 'ovr', place: 'reference', ...options })

  it.each([
    ['one label', { codes: new Int32Array(3), labels: 1 }],
    ['a label without cells', { labels: 3 }],
    ['a number that no label has', { codes: Int32Array.of(0, 2, 2) }],
    ['numbers below none', { codes: Int32Array.of(0, -1, -1) }],
  ])('is refused as TRAINING_LABELS: %s', async (_, options) => {
    await expect(refused({}, options)).rejects.toMatchObject({ code: 'TRAINING_LABELS', place: 'reference' })
  })

  it('is refused as TRAINING_LABELS: no cells', async () => {
    const none = {
      rows: 0,
      indptr: Int32Array.of(0),
      indices: new Int32Array(0),
      values: new Float64Array(0),
    }
    await expect(refused(none, { codes: new Int32Array(0) })).rejects.toMatchObject({
      code: 'TRAINING_LABELS',
    })
  })

  it.each([
    ['MATRIX_NOT_FINITE', { values: Float64Array.of(1, Number.NaN, 3) }],
    ['MATRIX_NOT_FINITE', { values: Float64Array.of(1, Number.POSITIVE_INFINITY, 3) }],
    ['MATRIX_MALFORMED', { indices: Int32Array.of(0, 1, 0) }],
    ['MATRIX_MALFORMED', { indices: Int32Array.of(0, -1, 0) }],
    ['MATRIX_MALFORMED', { indptr: Int32Array.of(0, 2, 1, 3) }],
    ['MATRIX_MALFORMED', { indptr: Int32Array.of(0, 1, 2, 9) }],
    ['MATRIX_MALFORMED', { columns: 0 }],
  ])('is refused as %s: %o', async (code, changed) => {
    await expect(refused(changed)).rejects.toMatchObject({ code, place: 'reference' })
  })

  it('is refused as TRAINING_TOO_LARGE before memory is taken', async () => {
    const rows = 20_000
    const wide = { rows, indptr: new Int32Array(rows + 1), columns: 1, indices: new Int32Array(0) }
    const labels = 20_000
    await expect(
      refused(wide, { codes: Int32Array.from({ length: rows }, (_, i) => i), labels }),
    ).rejects.toMatchObject({
      code: 'TRAINING_TOO_LARGE',
    })
  })
})

describe('a fit on its way', () => {
  const { cells, codes } = labelledCells(random(3), { rows: 300, genes: 40, labels: 4 })

  it('tells how far it is, never less than before, and at the end all', async () => {
    const told: number[] = []
    await fitLinear(cells, { codes, labels: 4, loss: 'multinomial', onProgress: (done) => told.push(done) })
    expect(told.length).toBeGreaterThan(3)
    expect(told).toEqual([...told].sort((a, b) => a - b))
    expect(told.at(-1)).toBe(100)
  })

  it('stops when told to', async () => {
    const controller = new AbortController()
    const onProgress = (): void => controller.abort(new Error('enough'))
    const fitting = fitLinear(cells, { codes, labels: 4, loss: 'ovr', onProgress, signal: controller.signal })
    await expect(fitting).rejects.toThrow('enough')
  })
})
