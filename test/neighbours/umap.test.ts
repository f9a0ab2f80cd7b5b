import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { fuzzyGraph } from '../../lib/neighbours/fuzzy-graph.ts'
import type { Points } from '../../lib/neighbours/points.ts'
import { spectralVectors } from '../../lib/neighbours/spectral-vectors.ts'
import { symmetricEigen } from '../../lib/neighbours/symmetric-eigen.ts'
import { layOut } from '../../lib/neighbours/umap.ts'
import { fitCurve } from '../../lib/neighbours/umap-curve.ts'
import { firstBits, shift, steps, tabulateForces } from '../../lib/neighbours/umap-forces.ts'
import { descend, initialWords } from '../../lib/neighbours/umap-layout.ts'
import { bruteNeighbours, graphOf, trustworthiness } from '../support/neighbour-measures.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { goldenNeighbours, goldenPoints } from './golden-neighbours.ts'

/** Groups of points about centres in 5 dimensions, `apart` from each other. */
function groups(count: number, size: number, apart: number): Points {
  const chance = random(7)
  const centres = Array.from({ length: count * 5 }, () => chance.normal() * apart)
  const values = Float32Array.from(
    { length: count * size * 5 },
    (_, at) => centres[Math.floor(at / (size * 5)) * 5 + (at % 5)]! + chance.normal(),
  )
  return { rows: count * size, dims: 5, values }
}

describe.runIf(hasShared)('on pbmc68k_reduced (oracle: umap-learn 0.5.3)', () => {
  it('a and b of the curve are those of umap-learn', () => {
    const figures = JSON.parse(readFileSync(sharedPath('golden/neighbours/figures.json'), 'utf8'))
    const wanted = Object.entries(figures.umap_ab_spread1 as Record<string, [number, number]>)
    expect(wanted.length).toBe(6)
    for (const [minDist, [a, b]] of wanted) {
      const curve = fitCurve({ minDist: Number(minDist), spread: 1 })
      expect(Math.abs(curve.a / a - 1)).toBeLessThan(1e-3)
      expect(Math.abs(curve.b / b - 1)).toBeLessThan(1e-3)
    }
  })

  it.each([
    { minDist: 0.1, seed: 0 },
    { minDist: 0.5, seed: 0 },
    { minDist: 0.5, seed: 1 },
    { minDist: 0.5, seed: 2 },
  ])(
    "keeps neighbours as well as umap-learn's layouts (.918 to .926): $minDist, seed $seed",
    async ({ minDist, seed }) => {
      const layout = await layOut(goldenNeighbours(15), { seed, minDist })
      expect(trustworthiness(goldenPoints(), layout, 15)).toBeGreaterThan(0.91)
    },
  )

  it('keeps them as well from given places', async () => {
    const layout = await layOut(goldenNeighbours(15), { seed: 0, init: goldenPoints() })
    expect(trustworthiness(goldenPoints(), layout, 15)).toBeGreaterThan(0.91)
  })
})

describe('a layout', () => {
  it('is the same to the byte for the same seed, whether it is watched or not, and another for another', async () => {
    const neighbours = bruteNeighbours(groups(4, 50, 2), 10)
    const shares: number[] = []
    const first = await layOut(neighbours, { seed: 3, onProgress: (share) => shares.push(share) })
    const again = await layOut(fuzzyGraph(neighbours), { seed: 3 })
    const other = await layOut(neighbours, { seed: 4 })
    expect(Buffer.from(again.buffer).equals(Buffer.from(first.buffer))).toBe(true)
    expect(Buffer.from(other.buffer).equals(Buffer.from(first.buffer))).toBe(false)
    expect(shares.at(-1)).toBe(1)
    expect(shares.length).toBeGreaterThan(2)
    expect(shares).toEqual(shares.toSorted((a, b) => a - b))
  })

  it('is finite for few points, points that coincide and points without neighbours', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom(0, 1, 1e-30, 1e20),
        async (rows, most, scale) => {
          const k = Math.min(rows, most)
          const values = Float32Array.from({ length: rows * 2 }, (_, i) => ((i * 7) % 5) * scale)
          const neighbours = bruteNeighbours({ rows, dims: 2, values }, k)
          const layout = await layOut(neighbours, { seed: 1, epochs: 50 })
          expect(layout.length).toBe(rows * 2)
          expect(layout.every(Number.isFinite)).toBe(true)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('takes points that all coincide apart', async () => {
    const neighbours = bruteNeighbours({ rows: 30, dims: 2, values: new Float32Array(60) }, 5)
    const layout = await layOut(neighbours, { seed: 1 })
    expect(layout.every(Number.isFinite)).toBe(true)
    const places = new Set(Array.from({ length: 30 }, (_, i) => `${layout[i * 2]} ${layout[i * 2 + 1]}`))
    expect(places.size).toBe(30)
  })

  it('sets the connected parts of a graph side by side', async () => {
    const points = groups(5, 60, 40)
    const layout = await layOut(bruteNeighbours(points, 10), { seed: 0 })
    // in the plane, the nearest 20 of every point are of its own group
    const near = bruteNeighbours({ rows: 300, dims: 2, values: layout }, 20).indices
    for (const [at, other] of near.entries())
      expect(Math.floor(other / 60)).toBe(Math.floor(Math.floor(at / 20) / 60))
  })

  it('stops when it is told to, and refuses options that make no sense', async () => {
    const neighbours = bruteNeighbours(groups(4, 50, 2), 10)
    const stop = new AbortController()
    const stopped = layOut(neighbours, {
      seed: 0,
      epochs: 100_000,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    })
    await expect(stopped).rejects.toThrow('enough')
    await expect(layOut(neighbours, { seed: 0, minDist: 2 })).rejects.toThrow(RangeError)
    await expect(layOut(neighbours, { seed: 0, epochs: 1.5 })).rejects.toThrow(RangeError)
    const few = { rows: 3, dims: 2, values: new Float32Array(6) }
    await expect(layOut(neighbours, { seed: 0, init: few })).rejects.toThrow(RangeError)
  })
})

describe('the parts of a layout', () => {
  it('have forces in their tables within 2e-5 of the formulas (twin)', () => {
    const curve = fitCurve({ minDist: 0.1, spread: 1 })
    const { attraction, repulsion } = tabulateForces(curve, { repulsion: 1 })
    const bits = new Int32Array(1)
    const float = new Float32Array(bits.buffer)
    for (let place = 0; place < steps << shift; place += 30_011) {
      bits[0] = firstBits + place
      const squared = float[0]!
      const [at, share] = [place >> shift, (place % (1 << shift)) / (1 << shift)]
      const between = (table: Float32Array): number => table[at]! + share * (table[at + 1]! - table[at]!)
      const power = curve.a * squared ** curve.b
      const drawn = (-2 * curve.a * curve.b * squared ** (curve.b - 1)) / (1 + power)
      const pushed = (2 * curve.b) / ((0.001 + squared) * (1 + power))
      expect(Math.abs(between(attraction) / drawn - 1)).toBeLessThan(2e-5)
      expect(Math.abs(between(repulsion) / pushed - 1)).toBeLessThan(2e-5)
    }
  })

  it('descend as the formulas say, with the numbers of the one generator (twin: exact powers, lib/job/random)', () => {
    const [a, b, step, negativeSamples] = [1.577, 0.895, 0.3, 7]
    const chance = random(11)
    const start = Float32Array.from({ length: 20 }, () => chance.normal())
    const layout = start.slice()
    const words = initialWords(chance.state())
    const due = Float64Array.of(1, 2, 1)
    const [heads, tails] = [Int32Array.of(0, 3, 8), Int32Array.of(1, 4, 2)]
    const forces = tabulateForces({ a, b }, { repulsion: 1 })
    const period = Float64Array.of(1, 2, 1.5)
    const descent = { layout, others: layout, heads, tails, period, due, forces, negativeSamples, words }
    descend(descent, { epoch: 1, step, from: 0, to: 3 })

    const wanted = Float64Array.from(start)
    const clipped = (value: number): number => Math.max(-4, Math.min(4, value))
    for (const edge of [0, 2]) {
      const [head, tail] = [heads[edge]! * 2, tails[edge]! * 2]
      const differences = (other: number): [number, number] => [
        wanted[head]! - wanted[other]!,
        wanted[head + 1]! - wanted[other + 1]!,
      ]
      const near = differences(tail)
      const squared = near[0] ** 2 + near[1] ** 2
      const draw = (-2 * a * b * squared ** (b - 1)) / (1 + a * squared ** b)
      for (const axis of [0, 1] as const) {
        wanted[head + axis]! += step * clipped(draw * near[axis])
        wanted[tail + axis]! -= step * clipped(draw * near[axis])
      }
      for (let sample = 0; sample < negativeSamples; sample++) {
        const stranger = Math.floor((chance.integer(2 ** 32) * 10) / 2 ** 32) * 2
        if (stranger === head) continue
        const far = differences(stranger)
        const squared = far[0] ** 2 + far[1] ** 2
        const push = (2 * b) / ((0.001 + squared) * (1 + a * squared ** b))
        for (const axis of [0, 1] as const) wanted[head + axis]! += step * clipped(push * far[axis])
      }
    }
    for (const [at, place] of layout.entries()) expect(Math.abs(place - wanted[at]!)).toBeLessThan(1e-3)
    expect(Array.from(words, (word) => word >>> 0)).toEqual(chance.state().words)
    expect(Array.from(due)).toEqual([2, 2, 2.5])
  })

  it('start from the slowest vectors of the normalised Laplacian (twin: all eigenvectors at once)', async () => {
    const nodes = 90
    const chance = random(5)
    const ring = Array.from({ length: nodes }, (_, i) => [i, (i + 1) % nodes, 1] as const)
    const chords = Array.from({ length: 40 }, () => {
      const from = chance.integer(nodes)
      return [from, (from + 2 + chance.integer(6)) % nodes, chance.uniform()] as const
    })
    const graph = graphOf(nodes, [...ring, ...chords])
    const dense = new Float64Array(nodes * nodes)
    const roots = Float64Array.from({ length: nodes }, (_, i) =>
      Math.sqrt(graph.weights.subarray(graph.indptr[i], graph.indptr[i + 1]).reduce((sum, w) => sum + w, 0)),
    )
    for (let i = 0; i < nodes; i++)
      for (let at = graph.indptr[i]!; at < graph.indptr[i + 1]!; at++)
        dense[i * nodes + graph.indices[at]!] = graph.weights[at]! / (roots[i]! * roots[graph.indices[at]!]!)
    const wanted = symmetricEigen(dense, nodes).vectors
    const found = await spectralVectors(graph, { random: random(1) })
    for (const j of [0, 1]) {
      let along = 0
      for (let i = 0; i < nodes; i++) along += found[i * 2 + j]! * wanted[(j + 1) * nodes + i]!
      expect(Math.abs(along)).toBeGreaterThan(0.999)
    }
  })
})
