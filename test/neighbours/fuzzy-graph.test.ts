import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fuzzyGraph } from '../../lib/neighbours/fuzzy-graph.ts'
import { smoothDistances } from '../../lib/neighbours/smooth-distances.ts'
import type { WeightedGraph } from '../../lib/neighbours/weighted-graph.ts'
import { goldenColumn, goldenTable } from '../support/golden-table.ts'
import { bruteNeighbours } from '../support/neighbour-measures.ts'
import { hasShared } from '../support/shared.ts'
import { goldenGraph, goldenNeighbours } from './golden-neighbours.ts'

function weightBetween({ indptr, indices, weights }: WeightedGraph, from: number, to: number): number {
  const at = indices.subarray(indptr[from], indptr[from + 1]).indexOf(to)
  return at < 0 ? 0 : weights[indptr[from]! + at]!
}

describe.runIf(hasShared)('on pbmc68k_reduced (oracle: umap-learn 0.5.3, scanpy)', () => {
  it('smooth distances are those of umap-learn', () => {
    const { sigma, rho } = smoothDistances(goldenNeighbours(15), { localConnectivity: 1 })
    const table = goldenTable('neighbours', 'smooth_knn.csv.gz')
    const wanted = { sigma: goldenColumn(table, 'sigma'), rho: goldenColumn(table, 'rho') }
    expect(sigma.length).toBe(700)
    for (let row = 0; row < 700; row++) {
      expect(Math.abs(sigma[row]! - wanted.sigma[row]!)).toBeLessThan(2e-4)
      expect(Math.abs(rho[row]! - wanted.rho[row]!)).toBeLessThan(2e-4)
    }
  })

  it("the graph has scanpy's 15900 entries with its weights", () => {
    const graph = fuzzyGraph(goldenNeighbours(15))
    const wanted = goldenGraph(700)
    expect(graph.indices.length).toBe(15_900)
    expect(graph.indptr).toEqual(wanted.indptr)
    expect(graph.indices).toEqual(wanted.indices)
    const furthest = graph.weights.reduce(
      (most, weight, at) => Math.max(most, Math.abs(weight - wanted.weights[at]!)),
      0,
    )
    expect(furthest).toBeLessThan(2e-4)
  })
})

/** Points on a coarse lattice, so that many coincide. */
const lattice = fc.integer({ min: 1, max: 25 }).chain((rows) =>
  fc.record({
    values: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: rows * 2, maxLength: rows * 2 }),
    k: fc.integer({ min: 1, max: rows }),
    rows: fc.constant(rows),
  }),
)

describe('the fuzzy graph', () => {
  it('joins neighbours both ways with one weight in (0, 1], never a point with itself', () => {
    fc.assert(
      fc.property(lattice, ({ rows, values, k }) => {
        const neighbours = bruteNeighbours({ rows, dims: 2, values: Float32Array.from(values) }, k)
        const graph = fuzzyGraph(neighbours)
        for (let node = 0; node < rows; node++) {
          let before = -1
          for (let at = graph.indptr[node]!; at < graph.indptr[node + 1]!; at++) {
            const other = graph.indices[at]!
            expect(other).toBeGreaterThan(before)
            expect(other).not.toBe(node)
            expect(graph.weights[at]).toBeGreaterThan(0)
            expect(graph.weights[at]).toBeLessThanOrEqual(1)
            expect(weightBetween(graph, other, node)).toBe(graph.weights[at])
            before = other
          }
        }
        // the nearest that lies apart is a full member
        for (let node = 0; node < rows && k > 1; node++)
          expect(Math.max(...graph.weights.subarray(graph.indptr[node], graph.indptr[node + 1]))).toBe(1)
      }),
    )
  })

  it('does not depend on the unit of distances', () => {
    fc.assert(
      fc.property(lattice, ({ rows, values, k }) => {
        const neighbours = bruteNeighbours({ rows, dims: 2, values: Float32Array.from(values) }, k)
        const graph = fuzzyGraph(neighbours)
        const doubled = fuzzyGraph({
          ...neighbours,
          distances: neighbours.distances.map((distance) => distance * 2),
        })
        expect(doubled.indices).toEqual(graph.indices)
        for (const [at, weight] of doubled.weights.entries())
          expect(Math.abs(weight - graph.weights[at]!)).toBeLessThan(1e-3)
      }),
    )
  })

  it('leaves out neighbours that were not found and refuses distances that are none', () => {
    const neighbours = {
      rows: 2,
      k: 2,
      indices: Int32Array.of(0, -1, 1, 0),
      distances: Float32Array.of(0, 9, 0, 3),
    }
    expect(Array.from(fuzzyGraph(neighbours).indices)).toEqual([1, 0])
    const broken = { ...neighbours, distances: Float32Array.of(0, 9, 0, Number.NaN) }
    expect(() => fuzzyGraph(broken)).toThrow(RangeError)
  })
})
