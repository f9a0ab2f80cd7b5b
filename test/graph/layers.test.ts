import { describe, expect, it } from 'vitest'
import { type Expression, input } from '../../lib/graph/expression.ts'
import { gradients } from '../../lib/graph/gradient.ts'
import {
  dropOut,
  linear,
  normaliseBatch,
  normaliseByRunning,
  normaliseLayer,
} from '../../lib/graph/layers.ts'
import { multiply, sum } from '../../lib/graph/operations/arithmetic.ts'
import { float32 } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { compute, float64, numbersOf } from './compute.ts'

const draw = random(21)
const normals = (length: number) => Array.from({ length }, () => draw.normal())
const [cells, features, epsilon, momentum] = [5, 3, 1e-3, 0.01]

const row = (name: string): Expression => input(name, { type: 'float64', shape: [features] })
const x = input('x', { type: 'float64', shape: ['cells', features] })
const norm = {
  scale: row('scale'),
  shift: row('shift'),
  mean: row('mean'),
  variance: row('variance'),
  epsilon,
}
const given = {
  x: normals(cells * features).map((one) => 3 * one + 1),
  scale: [0.5, -2, 1.5],
  shift: [0.1, 0, -3],
  mean: [1, 2, 3],
  variance: [1, 0.5, 4],
  towards: normals(cells * features),
}
const values = Object.fromEntries(
  Object.entries(given).map(([name, of]) => [
    name,
    float64(of, of.length > features ? [cells, features] : [features]),
  ]),
)

/** Column by column: mean, biased variance. */
function moments(of: readonly number[], feature: number): { mean: number; variance: number } {
  const column = of.filter((_, i) => i % features === feature)
  const mean = column.reduce((all, one) => all + one, 0) / column.length
  return { mean, variance: column.reduce((all, one) => all + (one - mean) ** 2, 0) / column.length }
}

function normalisedByHand({ x: of, scale, shift }: typeof given): number[] {
  return of.map((one, i) => {
    const { mean, variance } = moments(of, i % features)
    return ((one - mean) / Math.sqrt(variance + epsilon)) * scale[i % features]! + shift[i % features]!
  })
}

function near(got: readonly number[], wanted: readonly number[], tolerance = 1e-12): void {
  expect(got).toHaveLength(wanted.length)
  for (const [i, one] of wanted.entries()) expect(Math.abs(got[i]! - one), `${i}`).toBeLessThan(tolerance)
}

describe('batch normalisation', () => {
  const trained = normaliseBatch(x, { ...norm, momentum })

  it('takes mean and biased variance of the minibatch, and the unbiased one into what runs', async () => {
    const got = await compute({ value: trained.value, m: trained.mean, v: trained.variance }, values)
    near(numbersOf(got.value), normalisedByHand(given))
    const of = [0, 1, 2].map((feature) => moments(given.x, feature))
    near(
      numbersOf(got.m),
      of.map(({ mean }, i) => 0.99 * given.mean[i]! + 0.01 * mean),
    )
    near(
      numbersOf(got.v),
      of.map(({ variance }, i) => 0.99 * given.variance[i]! + (0.01 * variance * cells) / (cells - 1)),
    )
  })

  it('has the gradients that central differences give', async () => {
    const loss = sum(
      multiply(trained.value, input('towards', { type: 'float64', shape: ['cells', features] })),
    )
    const names = ['x', 'scale', 'shift'] as const
    const slopes = gradients(loss, [x, norm.scale, norm.shift])
    const got = await compute(Object.fromEntries(names.map((name, i) => [`d ${name}`, slopes[i]!])), values)
    const lossOf = (of: typeof given) =>
      normalisedByHand(of).reduce((all, one, i) => all + one * given.towards[i]!, 0)
    for (const name of names) {
      const exact = given[name].map((_, i) => {
        const moved = (by: number) =>
          lossOf({ ...given, [name]: given[name].map((one, at) => (at === i ? one + by : one)) })
        return (moved(1e-5) - moved(-1e-5)) / 2e-5
      })
      near(numbersOf(got[`d ${name}`]), exact, 1e-8)
    }
  })

  it('leaves what runs as it is for a minibatch of one cell, which has no variance', async () => {
    const one = { ...values, x: float64([7, -1, 2], [1, features]) }
    const got = await compute({ value: trained.value, m: trained.mean, v: trained.variance }, one)
    expect(numbersOf(got.m)).toEqual(given.mean)
    expect(numbersOf(got.v)).toEqual(given.variance)
    // the cell is its own mean
    expect(numbersOf(got.value)).toEqual(given.shift)
  })

  it('has gradients of a minibatch of one cell, which do not move what comes in', async () => {
    const slopes = gradients(sum(multiply(trained.value, trained.value)), [x, norm.scale, norm.shift])
    const one = { ...values, x: float64([7, -1, 2], [1, features]) }
    const named = await compute({ dx: slopes[0]!, dscale: slopes[1]!, dshift: slopes[2]! }, one)
    near(numbersOf(named.dx), [0, 0, 0])
    near(numbersOf(named.dscale), [0, 0, 0])
    near(
      numbersOf(named.dshift),
      given.shift.map((shift) => 2 * shift),
    )
  })

  it('takes what runs after training', async () => {
    const got = await compute({ value: normaliseByRunning(x, norm) }, values)
    const wanted = given.x.map((one, i) => {
      const at = i % features
      const apart = (one - given.mean[at]!) / Math.sqrt(given.variance[at]! + epsilon)
      return apart * given.scale[at]! + given.shift[at]!
    })
    near(numbersOf(got.value), wanted)
  })

  it('does not divide by nothing where all cells are alike', async () => {
    const alike = { ...values, x: float64(new Float64Array(cells * features).fill(4), [cells, features]) }
    const [slope] = gradients(sum(multiply(trained.value, trained.value)), [x])
    const got = await compute({ value: trained.value, slope: slope! }, alike)
    near(
      numbersOf(got.value),
      given.x.map((_, i) => given.shift[i % features]!),
    )
    expect(numbersOf(got.slope).every(Number.isFinite)).toBe(true)
  })
})

describe('layer normalisation', () => {
  it('takes mean and biased variance of each cell', async () => {
    const got = await compute({ value: normaliseLayer(x, { epsilon: 1e-5 }) }, values)
    const wanted = given.x.map((one, i) => {
      const own = given.x.slice(i - (i % features), i - (i % features) + features)
      const mean = own.reduce((all, other) => all + other, 0) / features
      const variance = own.reduce((all, other) => all + (other - mean) ** 2, 0) / features
      return (one - mean) / Math.sqrt(variance + 1e-5)
    })
    near(numbersOf(got.value), wanted)
  })

  it('moves nothing along a cell, nor along what it was normalised to', async () => {
    const value = normaliseLayer(x, { epsilon: 1e-9 })
    const towards = input('towards', { type: 'float64', shape: ['cells', features] })
    const [slope] = gradients(sum(multiply(value, towards)), [x])
    const got = await compute({ value, slope: slope! }, values)
    const [slopes, plain] = [numbersOf(got.slope), numbersOf(got.value)]
    for (let cell = 0; cell < cells; cell++) {
      const own = slopes.slice(cell * features, (cell + 1) * features)
      expect(Math.abs(own.reduce((all, one) => all + one, 0))).toBeLessThan(1e-9)
      expect(Math.abs(own.reduce((all, one, i) => all + one * plain[cell * features + i]!, 0))).toBeLessThan(
        1e-6,
      )
    }
  })
})

describe('a linear layer', () => {
  it('is x W^T + b', async () => {
    const weight = input('weight', { type: 'float32', shape: [2, 3] })
    const bias = input('bias', { type: 'float32', shape: [2] })
    const of = input('x', { type: 'float32', shape: ['cells', 3] })
    const fed = {
      x: float32(Float32Array.of(1, 2, 3, -1, 0, 1), [2, 3]),
      weight: float32(Float32Array.of(1, 0, -1, 2, 2, 2), [2, 3]),
      bias: float32(Float32Array.of(10, 20)),
    }
    const both = await compute({ value: linear(of, { weight, bias }), plain: linear(of, { weight }) }, fed)
    expect(numbersOf(both.value)).toEqual([8, 32, 8, 20])
    expect(numbersOf(both.plain)).toEqual([-2, 12, -2, 0])
  })

  it('drops out what is told, and lets nothing flow there', async () => {
    const keep = input('keep', { type: 'float32', shape: [4] })
    const of = input('x', { type: 'float32', shape: [4] })
    const value = dropOut(of, keep)
    const [slope] = gradients(sum(value), [of])
    const fed = { x: float32(Float32Array.of(1, 2, 3, 4)), keep: float32(Float32Array.of(0, 2, 2, 0)) }
    const got = await compute({ value, slope: slope! }, fed)
    expect(numbersOf(got.value)).toEqual([0, 4, 6, 0])
    expect(numbersOf(got.slope)).toEqual([0, 2, 2, 0])
  })
})
