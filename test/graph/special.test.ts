import { describe, expect, it } from 'vitest'
import { input } from '../../lib/graph/expression.ts'
import { gatherEntries } from '../../lib/graph/operations/places.ts'
import { countTerms, digammaDifference, logPochhammer } from '../../lib/graph/special.ts'
import { float32, int64 } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { compute, numbersOf } from './compute.ts'

/** By summation, in float64: log of theta (theta + 1) ... (theta + x - 1), and the sum of 1 / (theta + i). */
function summed(theta: number, x: number): { value: number; slope: number } {
  let [value, slope] = [0, 0]
  for (let i = 0; i < x; i++) {
    value += Math.log(theta + i)
    slope += 1 / (theta + i)
  }
  return { value, slope }
}

const [theta, x] = ['theta', 'x'].map((name) => input(name, { type: 'float32', shape: ['pairs'] }))

async function differences(thetas: Float32Array, xs: Float32Array) {
  const outputs = { value: logPochhammer(theta!, x!), slope: digammaDifference(theta!, x!) }
  const got = await compute(outputs, { theta: float32(thetas), x: float32(xs) })
  return { value: numbersOf(got.value), slope: numbersOf(got.slope) }
}

describe('differences of log-gamma and digamma', () => {
  const draw = random(11)
  for (let power = -4; power < 7; power++) {
    it(`agree with sums in float64 for theta from 1e${power} to 1e${power + 1} and counts to 3,000`, async () => {
      const pairs = 20_000
      const thetas = Float32Array.from({ length: pairs }, () => 10 ** (power + draw.uniform()))
      // small counts as often as large ones
      const xs = Float32Array.from({ length: pairs }, () => Math.round(3_001 ** draw.uniform()) - 1)
      const got = await differences(thetas, xs)
      let [worstValue, worstSlope] = [0, 0]
      for (let i = 0; i < pairs; i++) {
        const exact = summed(thetas[i]!, xs[i]!)
        const size = Math.max(1, Math.abs(exact.value))
        worstValue = Math.max(worstValue, Math.abs(got.value[i]! - exact.value) / size)
        if (xs[i]! > 0) worstSlope = Math.max(worstSlope, Math.abs(got.slope[i]! / exact.slope - 1))
      }
      expect(worstValue).toBeLessThan(3e-6)
      expect(worstSlope).toBeLessThan(1.5e-6)
    })
  }

  it('are nothing for a count of nothing', async () => {
    const thetas = Float32Array.of(1e-4, 0.03, 1, 77, 1e7)
    const got = await differences(thetas, new Float32Array(5))
    expect(got).toEqual({ value: [0, 0, 0, 0, 0], slope: [0, 0, 0, 0, 0] })
  })

  it('stay sound for counts of 100,000', async () => {
    const thetas = Float32Array.of(1e-4, 1, 1e3, 1e7)
    const got = await differences(thetas, new Float32Array(4).fill(1e5))
    for (const [i, one] of thetas.entries()) {
      const exact = summed(one, 1e5)
      expect(Math.abs(got.value[i]! / exact.value - 1)).toBeLessThan(1e-6)
      expect(Math.abs(got.slope[i]! / exact.slope - 1)).toBeLessThan(1e-6)
    }
  })

  it('are the same where theta is laid out by gene, and take the power of a base along', async () => {
    const narrow = input('theta', { type: 'float32', shape: [3] })
    const genes = input('genes', { type: 'int64', shape: ['pairs'] })
    const base = input('base', { type: 'float32', shape: ['pairs'] })
    const by = countTerms(narrow, { x: x!, base, at: (of) => gatherEntries(of, genes) })
    const [thetas, at] = [
      [0.02, 3, 4e5],
      [2, 0, 1, 1, 0],
    ]
    const [xs, bases] = [
      [7, 1, 40, 0, 900],
      [0.5, 1e-9, 2, 7, 0.001],
    ]
    const got = await compute(
      { value: by.value, slope: by.slope },
      {
        theta: float32(Float32Array.from(thetas)),
        genes: int64(at),
        x: float32(Float32Array.from(xs)),
        base: float32(Float32Array.from(bases)),
      },
    )
    for (const [i, count] of xs.entries()) {
      const exact = summed(Math.fround(thetas[at[i]!]!), count)
      const value = exact.value + count * Math.log(Math.fround(bases[i]!))
      expect(Math.abs(numbersOf(got.value)[i]! - value) / Math.max(1, Math.abs(value))).toBeLessThan(1e-6)
      expect(Math.abs(numbersOf(got.slope)[i]! - exact.slope) / Math.max(1e-9, exact.slope)).toBeLessThan(
        1e-6,
      )
    }
  })
})
