/** Oracle: a toy whose optimum is known. Laws and the twin on dense rows, written out the long way. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { random } from '../../lib/job/random.ts'
import { probabilityMatch } from '../../lib/labels/match.ts'
import { probabilitiesOf } from '../../lib/labels/probabilities.ts'
import { type LinearModel, makeLinearModel } from '../../lib/models/linear-model.ts'
import { createLinearScorer } from '../../lib/models/linear-scorer.ts'
import { factsFor, seededModel, slabOf, toyModel, toyQuery } from './toy-model.ts'

const all = (model: LinearModel): Uint8Array => new Uint8Array(model.card.genes.length).fill(1)

function scoresOf(model: LinearModel, rows: number[][], present = all(model)): number[][] {
  const scorer = createLinearScorer(model, present)
  return inRows(scorer.score(slabOf(rows, present.length)), scorer.labels)
}

function inRows(values: Float64Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, i) => [
    ...values.subarray(i * width, (i + 1) * width),
  ])
}

function expectClose(found: number[][], wanted: number[][], tolerance: number): void {
  expect(found.length).toBe(wanted.length)
  found.forEach((row, i) => {
    expect(row.length).toBe(wanted[i]!.length)
    row.forEach((value, k) => {
      expect(Math.abs(value - wanted[i]![k]!), `row ${i}, label ${k}: ${value}`).toBeLessThan(tolerance)
    })
  })
}

/** CellTypist's way: every zero filled in, genes that are absent taken out. */
function denseScores(
  { card, weights, intercept, mean, scale }: LinearModel,
  rows: number[][],
  present: Uint8Array,
) {
  return rows.map((row) => {
    const scores = Array.from(intercept, (start, k) => {
      let sum = start
      row.forEach((value, gene) => {
        if (present[gene] === 0) return
        const z = (value - mean[gene]!) / (scale[gene] === 0 ? 1 : scale[gene]!)
        sum += Math.min(z, card.clip ?? Number.POSITIVE_INFINITY) * weights[k * row.length + gene]!
      })
      return sum
    })
    return card.labels.length === 2 ? [-scores[0]!, scores[0]!] : scores
  })
}

describe('the toy of three labels', () => {
  test('scores, probabilities and matches are those of the exact optimum', () => {
    const scores = scoresOf(toyModel(), toyQuery)
    expectClose(
      scores,
      [
        [-3.41925, -0.4637, 0.43503],
        [0.12974, -0.09409, -3.35207],
        [-1.37217, -0.74865, -1.29249],
        [-0.06463, -3.31474, -0.14954],
      ],
      2e-5,
    )
    const probabilities = probabilitiesOf(Float64Array.from(scores.flat()), { labels: 3, loss: 'ovr' })
    expectClose(
      inRows(probabilities, 3),
      [
        [0.031699, 0.386109, 0.607075],
        [0.532388, 0.476494, 0.033827],
        [0.20227, 0.321115, 0.215431],
        [0.483848, 0.035069, 0.462685],
      ],
      5e-6,
    )
    const labels = ['B', 'M', 'T']
    expect(probabilityMatch(probabilities, { threshold: 0.5, labels })).toEqual([
      'T',
      'B',
      'Unassigned',
      'Unassigned',
    ])
    expect(probabilityMatch(probabilities, { threshold: 0.3, labels })).toEqual(['M|T', 'B|M', 'M', 'B|T'])
  })

  test('a gene that the query has not counts as being at the mean', () => {
    expectClose(
      scoresOf(toyModel(), toyQuery, Uint8Array.of(1, 1, 0, 1)),
      [
        [-3.20121, -0.86672, 0.61489],
        [0.34777, -0.49712, -3.17222],
        [-1.15413, -1.15168, -1.11264],
        [-0.93357, -1.70859, -0.8663],
      ],
      2e-5,
    )
  })
})

const cases = fc
  .record({
    seed: fc.nat(1e6),
    genes: fc.integer({ min: 1, max: 40 }),
    labels: fc.integer({ min: 2, max: 30 }),
    cells: fc.integer({ min: 0, max: 12 }),
  })
  .map(({ seed, genes, labels, cells }) => {
    const draw = random(seed).fork('cells')
    const one = (): number => {
      const kind = draw.uniform()
      if (kind < 0.5) return 0
      return kind < 0.6 ? -3 * draw.uniform() : 9 * draw.uniform()
    }
    const rows = Array.from({ length: cells }, () => Array.from({ length: genes }, one))
    const present = Uint8Array.from({ length: genes }, () => (draw.uniform() < 0.8 ? 1 : 0))
    return { model: seededModel(seed, { genes, labels }), rows, present, draw }
  })

describe('laws', () => {
  test('sparse rows score as dense ones do, with negative values, clipped zeros, scales of 0 and absent genes', () => {
    fc.assert(
      fc.property(cases, ({ model, rows, present }) => {
        expectClose(scoresOf(model, rows, present), denseScores(model, rows, present), 1e-9)
      }),
    )
  })

  test('a stored zero is a zero, and values of 32 bits are taken as they are', () => {
    fc.assert(
      fc.property(cases, ({ model, rows, present }) => {
        const scorer = createLinearScorer(model, present)
        const rounded = rows.map((row) => row.map(Math.fround))
        const sparse = slabOf(rounded, present.length)
        const withZeros = slabOf(rounded, present.length, true)
        expect(scorer.score(withZeros)).toEqual(scorer.score(sparse))
        const narrow: RowSlab = { ...sparse, values: Float32Array.from(sparse.values) }
        expect(scorer.score(narrow)).toEqual(scorer.score(sparse))
      }),
    )
  })

  test('the order of cells, and of slabs, changes no bit', () => {
    fc.assert(
      fc.property(cases, ({ model, rows, present, draw }) => {
        const order = draw.shuffle(rows.map((_, i) => i))
        const straight = scoresOf(model, rows, present)
        const shuffled = scoresOf(
          model,
          order.map((i) => rows[i]!),
          present,
        )
        expect(shuffled).toEqual(order.map((i) => straight[i]))
        const alone = rows.map((row) => scoresOf(model, [row], present)[0])
        expect(alone).toEqual(straight)
      }),
    )
  })

  test('the order of genes changes rounding at most', () => {
    fc.assert(
      fc.property(cases, ({ model, rows, present, draw }) => {
        const order = draw.shuffle(model.card.genes.map((_, gene) => gene))
        const { card, weights, intercept, mean, scale } = model
        const count = order.length
        const turned = makeLinearModel(
          factsFor(
            order.map((gene) => card.genes[gene]!),
            card.labels,
          ),
          {
            weights: weights.map((_, i) => weights[Math.floor(i / count) * count + order[i % count]!]!),
            intercept,
            mean: mean.map((_, i) => mean[order[i]!]!),
            scale: scale.map((_, i) => scale[order[i]!]!),
          },
        )
        const shuffled = scoresOf(
          turned,
          rows.map((row) => order.map((gene) => row[gene]!)),
          Uint8Array.from(order, (gene) => present[gene]!),
        )
        expectClose(shuffled, scoresOf(model, rows, present), 1e-9)
      }),
    )
  })
})

test('many cells and entries pass through the kernel in several calls, with nothing lost between them', () => {
  const model = seededModel(7, { genes: 700, labels: 21 })
  const draw = random(3)
  const rows = Array.from({ length: 6000 }, () => {
    const row = new Array<number>(700).fill(0)
    for (let i = 0; i < 30; i++) row[draw.integer(700)] = draw.uniform()
    return row
  })
  expectClose(scoresOf(model, rows), denseScores(model, rows, all(model)), 1e-8)
})

test('two labels have one row of weights, and opposite scores', () => {
  const scores = scoresOf(seededModel(1, { genes: 5, labels: 2 }), [[1, 0, 2, 0, 0]])
  expect(scores[0]![0]).toBe(-scores[0]![1]!)
})

test('a softmax model gives shares that add up to 1, however large the scores are', () => {
  const [a, b, c] = probabilitiesOf(Float64Array.of(18_000, 17_999, -12_000), {
    labels: 3,
    loss: 'multinomial',
  })
  expect(a! + b! + c!).toBeCloseTo(1, 12)
  expect(a).toBeCloseTo(1 / (1 + Math.exp(-1)), 12)
  expect(c).toBe(0)
})

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'the value %f is refused',
  (value) => {
    expect(() => scoresOf(toyModel(), [[0, 1, value, 0]])).toThrow(
      expect.objectContaining({ code: 'VALUES_NOT_FINITE' }),
    )
  },
)

test('rows over other genes than the model has, and a row that names a gene twice too often, are mistakes of the caller', () => {
  const scorer = createLinearScorer(toyModel(), all(toyModel()))
  expect(() => scorer.score(slabOf([[1, 2]], 2))).toThrow(RangeError)
  expect(() => createLinearScorer(toyModel(), new Uint8Array(3))).toThrow(RangeError)
  const endless = { ...slabOf([], 4), rows: 1, indptr: Int32Array.of(0, 40_000) }
  expect(() =>
    scorer.score({ ...endless, indices: new Int32Array(40_000), values: new Float64Array(40_000) }),
  ).toThrow(RangeError)
})
