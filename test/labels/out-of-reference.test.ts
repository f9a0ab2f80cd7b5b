/**
 * Laws on cells drawn from known types: held-out cells keep the rate that the threshold promises whatever the number of labels, unseen types
 * are found. Oracles by hand for distances, scales and tails.
 */
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { heldOutFolds } from '../../lib/labels/held-out.ts'
import { labelScale, standing } from '../../lib/labels/label-scale.ts'
import type { SparseCells, Standard } from '../../lib/labels/lifted-rows.ts'
import {
  fitOutOfReference,
  manyOutOfReferenceNotice,
  outOfReferenceTails,
  withinReference,
} from '../../lib/labels/out-of-reference.ts'
import { fitReferenceSpace, referenceDistances } from '../../lib/labels/reference-space.ts'
import { tailOfValues, tailProbability } from '../../lib/labels/tail-probability.ts'

function sparse(rows: readonly (readonly number[])[]): SparseCells {
  const [indptr, indices, values]: [number[], number[], number[]] = [[0], [], []]
  for (const row of rows) {
    for (const [gene, value] of row.entries())
      if (value !== 0) {
        indices.push(gene)
        values.push(value)
      }
    indptr.push(indices.length)
  }
  return {
    rows: rows.length,
    columns: rows[0]?.length ?? 0,
    indptr: Float64Array.from(indptr),
    indices: Int32Array.from(indices),
    values: Float64Array.from(values),
  }
}

const genes = 60

/** Type t has genes 3 t to 3 t + 2 high; values are what logs of few counts look like, half of them 0. */
function drawCells(types: readonly number[], seed: number): number[][] {
  const draw = random(seed)
  return types.map((type) =>
    Array.from({ length: genes }, (_, gene) => {
      const mean = Math.floor(gene / 3) === type ? 4 : 0.5
      return Math.max(0, mean + draw.normal())
    }),
  )
}

function standardOf(rows: readonly (readonly number[])[]): Standard {
  const mean = Float64Array.from(
    { length: genes },
    (_, gene) => rows.reduce((sum, row) => sum + row[gene]!, 0) / rows.length,
  )
  const scale = mean.map((middle, gene) =>
    Math.sqrt(rows.reduce((sum, row) => sum + (row[gene]! - middle) ** 2, 0) / rows.length),
  )
  return { mean, scale }
}

async function fitted(labels: number, { each = 120, seed = 1 } = {}) {
  const codes = Int32Array.from({ length: labels * each }, (_, cell) => cell % labels)
  const rows = drawCells([...codes], seed)
  const standard = standardOf(rows)
  const folds = heldOutFolds({ codes, seed })
  const { reference, notices } = await fitOutOfReference(sparse(rows), {
    codes,
    labels,
    standard,
    folds,
    called: codes,
    seed,
  })
  return { reference, notices, standard }
}

const shareBelow = (tails: Float64Array, threshold: number): number =>
  tails.filter((tail) => tail < threshold).length / tails.length

describe('tails of cells that the reference knows', () => {
  test.each([2, 3, 8, 19])('with %i labels keep the rate of the threshold', async (labels) => {
    const { reference, standard } = await fitted(labels, { each: Math.ceil(1500 / labels) })
    const called = Int32Array.from({ length: 3000 }, (_, cell) => cell % labels)
    const tails = outOfReferenceTails(sparse(drawCells([...called], 9)), {
      reference: reference!,
      standard,
      called,
    })
    expect(shareBelow(tails, 0.01)).toBeLessThan(0.02)
    expect(shareBelow(tails, 0.2)).toBeGreaterThan(0.14)
    expect(shareBelow(tails, 0.2)).toBeLessThan(0.26)
    expect(tails.every((tail) => tail > 0 && tail <= 1)).toBe(true)
  })
})

describe('tails of cells that the reference lacks', () => {
  test.each([3, 8, 18])('of a type beside %i labels are nearly all below the threshold', async (labels) => {
    const { reference, standard } = await fitted(labels)
    const types = Array<number>(500).fill(labels)
    const called = Int32Array.from(types, (_, cell) => cell % labels)
    const tails = outOfReferenceTails(sparse(drawCells(types, 7)), {
      reference: reference!,
      standard,
      called,
    })
    expect(shareBelow(tails, 0.01)).toBeGreaterThan(0.9)
  })

  test('so are cells of one type that are called another', async () => {
    const { reference, standard } = await fitted(4)
    const called = new Int32Array(300)
    const tails = outOfReferenceTails(sparse(drawCells(Array(300).fill(2), 7)), {
      reference: reference!,
      standard,
      called,
    })
    expect(shareBelow(tails, 0.01)).toBeGreaterThan(0.9)
  })
})

describe('scoring', () => {
  test('slabs of rows give what the whole gives, and the same seed the same reference', async () => {
    const { reference, standard } = await fitted(3)
    const rows = drawCells([0, 1, 2, 5, 0], 4)
    const called = Int32Array.of(0, 1, 2, 0, 1)
    const whole = outOfReferenceTails(sparse(rows), { reference: reference!, standard, called })
    const parts = rows.map((row, cell) => {
      return outOfReferenceTails(sparse([row]), {
        reference: reference!,
        standard,
        called: called.slice(cell, cell + 1),
      })[0]
    })
    expect(parts).toEqual([...whole])
    expect((await fitted(3)).reference).toEqual(reference)
  })

  test('says nothing of cells with a NaN or without a call, and takes cells without any count', async () => {
    const { reference, standard } = await fitted(3)
    const rows = sparse([
      [Number.NaN, ...Array<number>(genes - 1).fill(1)],
      Array(genes).fill(1),
      Array(genes).fill(0),
    ])
    const tails = outOfReferenceTails(rows, {
      reference: reference!,
      standard,
      called: Int32Array.of(0, -1, 0),
    })
    expect([...tails].map(Number.isNaN)).toEqual([true, true, false])
    const none = { ...sparse([]), columns: genes }
    const nothing = outOfReferenceTails(none, { reference: reference!, standard, called: new Int32Array(0) })
    expect(nothing).toHaveLength(0)
  })

  test('calls of other cells are refused, and so are cells on other genes', async () => {
    const { reference, standard } = await fitted(3)
    const called = new Int32Array(2)
    expect(() =>
      outOfReferenceTails(sparse(drawCells([0], 1)), { reference: reference!, standard, called }),
    ).toThrow(RangeError)
    for (const other of [sparse([]), sparse([[1, 2, 3]])])
      expect(() =>
        outOfReferenceTails(other, { reference: reference!, standard, called: new Int32Array(other.rows) }),
      ).toThrow(RangeError)
  })
})

describe('what cannot be assessed', () => {
  test('too few cells are told: no reference, one notice', async () => {
    const { reference, notices } = await fitted(3, { each: 33 })
    expect(reference).toBeUndefined()
    expect(notices).toMatchObject([{ code: 'OUT_OF_REFERENCE_NOT_ASSESSED' }])
    expect(notices[0]!.problem).toContain('99 reference cells')
    expect((await fitted(2, { each: 50 })).reference).toBeDefined()
  })

  test('a sample of many cells keeps the labels that have few', async () => {
    const codes = Int32Array.from({ length: 900 }, (_, cell) => (cell < 40 ? 1 : 0))
    const rows = drawCells([...codes], 3)
    const standard = standardOf(rows)
    const folds = heldOutFolds({ codes, seed: 1 })
    const { reference } = await fitOutOfReference(sparse(rows), {
      codes,
      labels: 2,
      standard,
      folds,
      called: codes,
      seed: 1,
      mostCells: 300,
    })
    expect(reference!.tail.count).toBe(40 + 287)
  })
})

describe('what becomes of the probabilities', () => {
  test('nothing from the threshold up; below it they fall in proportion', () => {
    expect([...withinReference(Float64Array.of(1, 0.01, 0.005, 0.001), 0.01)]).toEqual([1, 1, 0.5, 0.1])
    expect([...withinReference(Float64Array.of(0.001), 0)]).toEqual([1])
    expect(withinReference(Float64Array.of(Number.NaN))[0]).toBeNaN()
  })

  test('a query that differs as a whole is told', () => {
    const tails = Float64Array.from({ length: 100 }, (_, cell) => (cell < 26 ? 0.001 : 0.5))
    expect(manyOutOfReferenceNotice(tails)).toMatchObject({ code: 'QUERY_UNLIKE_REFERENCE' })
    expect(manyOutOfReferenceNotice(tails.subarray(1))?.problem).toContain('25 of 99')
    expect(manyOutOfReferenceNotice(tails.subarray(10))).toBeUndefined()
    expect(manyOutOfReferenceNotice(new Float64Array(0))).toBeUndefined()
  })
})

describe('distances to labels', () => {
  test('are Mahalanobis distances by the rounded common shape, computed by hand', () => {
    // two genes, deviations of the labels (+-1, 0) and (0, +-2): shape diag(0.5, 2), rounded by a tenth to diag(0.575, 1.925)
    const rows = [
      [1, 5],
      [3, 5],
      [8, 3],
      [8, 7],
    ]
    const cells = sparse(rows)
    const standard = { mean: new Float64Array(2), scale: Float64Array.of(1, 0) }
    const space = fitReferenceSpace(cells, { codes: Int32Array.of(0, 0, 1, 1), labels: 3, standard, seed: 1 })
    expect(space.directions).toBe(2)
    const distances = referenceDistances(
      sparse([
        [2, 5],
        [3, 4],
        [0, 0],
      ]),
      { space, standard },
    )
    const expected = [
      0,
      36 / 0.575,
      1 / 0.575 + 1 / 1.925,
      25 / 0.575 + 1 / 1.925,
      4 / 0.575 + 25 / 1.925,
      64 / 0.575 + 25 / 1.925,
    ]
    for (const [at, value] of expected.entries())
      expect(distances[Math.floor(at / 2) * 3 + (at % 2)]).toBeCloseTo(value, 9)
    // the third label has no cells
    expect([distances[2], distances[5]]).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])
  })

  test('values are clipped above, as the classifier clips them', () => {
    const rows = [
      [1, 5],
      [3, 5],
      [8, 3],
      [8, 7],
    ]
    const standard = { mean: new Float64Array(2), scale: Float64Array.of(1, 1), clip: 10 }
    const space = fitReferenceSpace(sparse(rows), {
      codes: Int32Array.of(0, 0, 1, 1),
      labels: 2,
      standard,
      seed: 1,
    })
    const distances = referenceDistances(
      sparse([
        [10, 5],
        [500, 5],
      ]),
      { space, standard },
    )
    expect(distances.slice(0, 2)).toEqual(distances.slice(2))
  })

  test('genes that never vary, and cells that are all the same, give numbers', () => {
    const cells = sparse(Array.from({ length: 6 }, () => [1, 0, 2]))
    const standard = { mean: Float64Array.of(1, 0, 2), scale: new Float64Array(3) }
    const space = fitReferenceSpace(cells, {
      codes: Int32Array.of(0, 0, 0, 1, 1, 1),
      labels: 2,
      standard,
      seed: 1,
    })
    expect(referenceDistances(cells, { space, standard }).every((distance) => distance < 1e-12)).toBe(true)
  })
})

describe('scales and tails', () => {
  test('labels with few cells borrow from all', () => {
    const values = Float64Array.from([
      ...Array<number>(40).fill(0),
      ...Array<number>(40).fill(2),
      11,
      Number.NaN,
    ])
    const codes = Int32Array.from([...Array<number>(80).fill(0), 1, 1])
    const { middle, spread } = labelScale(values, { codes, labels: 3 })
    // the median of all 81 is 2, that of label 0 is 1
    expect([...middle]).toEqual([(80 * 1 + 20 * 2) / 100, (11 + 20 * 2) / 21, 2])
    expect(spread[0]).toBeCloseTo(1.4826, 12)
    expect(spread[1]).toBeCloseTo(1.4826 * Math.sqrt(20 / 21), 12)
    expect(standing(2.2, { scale: { middle, spread }, call: 0 })).toBeCloseTo(1 / 1.4826, 12)
  })

  test('a tail is the share that is at least as high, the value itself counted in', () => {
    const tail = tailOfValues(Float64Array.of(3, 1, 2, Number.NaN, 2))
    const shares = [0, 1, 1.5, 2, 3, 4].map((value) => tailProbability(value, tail))
    expect(shares).toEqual([1, 1, 4 / 5, 4 / 5, 2 / 5, 1 / 5])
    expect(tailProbability(Number.NaN, tail)).toBeNaN()
    expect(tailProbability(1, tailOfValues(new Float64Array(0)))).toBe(1)
  })

  test('many values are thinned: the high end stays exact, the rest within a thousandth', () => {
    const draw = random(5)
    const values = Float64Array.from({ length: 50_000 }, () => draw.normal())
    const tail = tailOfValues(values)
    expect(tail.values.length).toBeLessThanOrEqual(2001)
    const sorted = values.toSorted()
    const exact = (value: number) => (sorted.filter((known) => known >= value).length + 1) / 50_001
    for (const value of [sorted[49_990]!, 2.5]) expect(tailProbability(value, tail)).toBe(exact(value))
    for (const value of [-2, 0, 1, 1.9])
      expect(Math.abs(tailProbability(value, tail) - exact(value))).toBeLessThan(0.001)
  })
})
