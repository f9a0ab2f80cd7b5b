/** Oracle: four cells of three labels by hand-sized steps of scikit-learn 1.2.1. Twin: sparse cells with a z0, and the same filled in. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { numpyRandom } from '../../lib/models/numpy-random.ts'
import { beginSgd, fitSgdClassifier, partialFit, type SgdModel } from '../../lib/models/sgd.ts'
import { type DescentCells, descentCells } from '../../lib/models/sgd-pass.ts'
import { type StandardisedCells, standardise } from '../../lib/models/standardised-cells.ts'
import { labelledCells } from './labelled-cells.ts'

const toy = [
  [1, -0.5],
  [-0.5, 2],
  [0.25, 0.25],
  [-1, 0],
]
const toyCodes = Int32Array.of(0, 1, 2, 0)
const all = Int32Array.of(0, 1, 2, 3)
const alpha = 1e-4

/** Every number stored, less the z of a zero. */
function stored(dense: readonly (readonly number[])[], zero: Float64Array): StandardisedCells {
  const [rows, columns] = [dense.length, zero.length]
  return {
    ...{ rows, columns, zero, mean: new Float64Array(columns), scale: new Float64Array(columns).fill(1) },
    indptr: Int32Array.from({ length: rows + 1 }, (_, row) => row * columns),
    indices: Int32Array.from({ length: rows * columns }, (_, i) => i % columns),
    lifted: Float64Array.from(dense.flat(), (value, i) => value - zero[i % columns]!),
  }
}

function filledIn({ rows, columns, indptr, indices, lifted, zero }: StandardisedCells): StandardisedCells {
  const dense = Array.from({ length: rows }, () => [...zero])
  for (let row = 0; row < rows; row++)
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) dense[row]![indices[i]!]! += lifted[i]!
  return stored(dense, new Float64Array(columns))
}

const rounded = (values: Iterable<number>): number[] =>
  Array.from(values, (value) => Number(value.toFixed(10)))

/** Largest difference of two models, in parts of the largest weight. */
function distance(a: SgdModel, b: SgdModel): number {
  const [left, right] = [
    [...a.weights, ...a.intercept],
    [...b.weights, ...b.intercept],
  ]
  const largest = Math.max(...right.map(Math.abs))
  return Math.max(...left.map((value, i) => Math.abs(value - right[i]!))) / largest
}

describe('partial fits of four cells in order', () => {
  it.each([
    ['without a zero that counts', new Float64Array(2)],
    ['with zeros that are not at zero', Float64Array.of(0.3, -0.7)],
    ['with zeros far out', Float64Array.of(40, -11)],
  ])('are those of scikit-learn to ten digits, %s', async (_, zero) => {
    const cells = descentCells(stored(toy, zero))
    const model = beginSgd({ genes: 2, labels: 3 })
    await partialFit(model, { cells, codes: toyCodes, rows: Int32Array.of(0), alpha })
    expect(rounded(model.weights)).toEqual([5, -2.5, -5, 2.5, -5, 2.5])
    expect(rounded(model.intercept)).toEqual([5, -5, -5])
    await partialFit(model, { cells, codes: toyCodes, rows: Int32Array.of(1, 2, 3), alpha })
    expect(rounded(model.weights)).toEqual([
      -7.0722117428, -6.4724287173, 1.9982527748, 3.9799062846, 2.1314306604, -13.442508873,
    ])
    expect(rounded(model.intercept)).toEqual([4.3313368328, -11.7299402177, -4.2692107521])
    expect(model.clock).toBe(5)
    await partialFit(model, { cells, codes: toyCodes, rows: all, alpha })
    expect(rounded(model.weights)).toEqual([
      -5.9334562108, -10.8144353999, -5.3085390392, 21.2623832085, 2.1153426928, -5.9914758231,
    ])
    expect(rounded(model.intercept)).toEqual([-1.6062867605, -11.4810869778, -11.5280429003])
    expect(model.clock).toBe(9)
  })

  it('leave the order that was given as it was, shuffled or not', async () => {
    const rows = all.slice()
    const model = beginSgd({ genes: 2, labels: 3 })
    const cells = descentCells(stored(toy, new Float64Array(2)))
    await partialFit(model, { cells, codes: toyCodes, rows, alpha, generator: numpyRandom(3) })
    expect(rows).toEqual(all)
  })
})

describe('descent on sparse cells', () => {
  const settings = fc.record({
    seed: fc.nat(2 ** 31),
    labels: fc.integer({ min: 2, max: 5 }),
    rows: fc.integer({ min: 8, max: 40 }),
    genes: fc.integer({ min: 1, max: 12 }),
    alpha: fc.constantFrom(1e-3, 0.1, 1, 10),
  })
  const drawn = ({
    seed,
    labels,
    rows,
    genes,
  }: {
    seed: number
    labels: number
    rows: number
    genes: number
  }) => labelledCells(random(seed), { rows, genes, labels })

  it('is descent on the same cells with their zeros filled in', async () => {
    await fc.assert(
      fc.asyncProperty(settings, async (drawnSettings) => {
        const { cells, codes } = drawn(drawnSettings)
        const standard = standardise(cells)
        const options = { codes, labels: drawnSettings.labels, alpha: drawnSettings.alpha, mostEpochs: 4 }
        const fits = await Promise.all(
          [standard, filledIn(standard)].map((given) =>
            fitSgdClassifier(descentCells(given), { ...options, generator: numpyRandom(drawnSettings.seed) }),
          ),
        )
        expect(distance(fits[0]!, fits[1]!)).toBeLessThan(1e-8)
      }),
      { numRuns: 60 },
    )
  })

  it('of one epoch is one partial fit of all cells, and the second goes on where the first was', async () => {
    const { cells: given, codes } = labelledCells(random(4), { rows: 60, genes: 20, labels: 3 })
    const cells = descentCells(standardise(given))
    const rows = Int32Array.from({ length: 60 }, (_, row) => row)
    const model = beginSgd({ genes: 20, labels: 3 })
    for (const mostEpochs of [1, 2]) {
      await partialFit(model, { cells, rows, codes, alpha })
      const fit = await fitSgdClassifier(cells, { codes, labels: 3, alpha, mostEpochs })
      expect(distance(model, fit)).toBeLessThan(1e-10)
      expect(model.clock).toBe(fit.clock)
      expect(fit).toMatchObject({ epochs: mostEpochs, unsettled: 3 })
    }
  })

  it('gives each gene its weight whatever the order of the genes', async () => {
    const { cells, codes } = labelledCells(random(9), { rows: 80, genes: 10, labels: 3 })
    const order = [3, 9, 1, 0, 7, 2, 8, 6, 4, 5]
    const moved = { ...cells, indices: cells.indices.map((gene) => order[gene]!) }
    const options = { codes, labels: 3, alpha: 1e-2 }
    const [one, other] = await Promise.all(
      [cells, moved].map((given) =>
        fitSgdClassifier(descentCells(standardise(given)), { ...options, generator: numpyRandom(1) }),
      ),
    )
    const back = one!.weights.map((_, i) => other!.weights[i - (i % 10) + order[i % 10]!]!)
    expect(distance({ ...other!, weights: back }, one!)).toBeLessThan(1e-9)
  })

  it('stops when the loss no longer falls, and says which labels had not stopped', async () => {
    const { cells, codes } = labelledCells(random(2), { rows: 100, genes: 30, labels: 4 })
    const descent: DescentCells = descentCells(standardise(cells))
    const options = { codes, labels: 4, alpha: 1e-2, generator: numpyRandom(0) }
    const settled = await fitSgdClassifier(descent, options)
    expect(settled.unsettled).toBe(0)
    expect(settled.epochs).toBeGreaterThan(5)
    expect(settled.epochs).toBeLessThan(1000)
    expect(settled.clock).toBe(1 + 100 * settled.epochs)
    const cut = await fitSgdClassifier(descent, { ...options, mostEpochs: 2 })
    expect(cut).toMatchObject({ unsettled: 4, epochs: 2 })
  })
})
