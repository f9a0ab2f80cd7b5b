import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { type Clustering, leiden, overClusteringResolution } from '../../lib/neighbours/leiden.ts'
import { moveNodes } from '../../lib/neighbours/leiden-moves.ts'
import { networkOf } from '../../lib/neighbours/leiden-network.ts'
import { refine } from '../../lib/neighbours/leiden-refinement.ts'
import { connectedParts, type WeightedGraph } from '../../lib/neighbours/weighted-graph.ts'
import { goldenColumn, goldenTable } from '../support/golden-table.ts'
import { adjustedRand, graphOf } from '../support/neighbour-measures.ts'
import { hasShared } from '../support/shared.ts'
import { goldenGraph } from './golden-neighbours.ts'

describe.runIf(hasShared)('on pbmc68k_reduced (oracle: leidenalg 0.9.1 as scanpy calls it)', () => {
  it.each([0, 1, 2, 3, 4])('finds the clusters of resolution 0.5, seed %i', async (seed) => {
    const found = await leiden(goldenGraph(700), { resolution: 0.5, seed, iterations: -1 })
    const wanted = goldenColumn(goldenTable('neighbours', 'leiden.csv.gz'), 'leiden_0.5')
    expect(found.clusters).toBe(6)
    expect(adjustedRand(found.membership, wanted)).toBeGreaterThan(0.98)
    expect(Math.abs(found.quality / 4209.040945 - 1)).toBeLessThan(1e-3)
  })

  it.each([0, 1, 2, 3, 4])('has as much modularity at resolution 1, seed %i', async (seed) => {
    const found = await leiden(goldenGraph(700), { resolution: 1, seed, iterations: -1 })
    expect(found.modularity).toBeGreaterThan(0.767)
    expect(found.clusters).toBeGreaterThanOrEqual(9)
    expect(found.clusters).toBeLessThanOrEqual(10)
  })
})

/** Graphs of up to 24 nodes, with nodes without edges, loops and repeated edges. */
const anyGraph = fc.integer({ min: 1, max: 24 }).chain((nodes) => {
  const node = fc.nat(nodes - 1)
  const edge = fc.tuple(node, node, fc.integer({ min: 1, max: 8 }))
  return fc.array(edge, { maxLength: 70 }).map((edges) => graphOf(nodes, edges))
})
const anyResolution = fc.constantFrom(0, 0.3, 1, 2.5, 10)
const iterations = fc.constantFrom(1, 2, -1)

/** The quality straight from its definition: over all ordered pairs in one cluster. */
function qualityOf(
  { nodes, indptr, indices, weights }: WeightedGraph,
  membership: Int32Array,
  resolution: number,
) {
  const strengths = Array.from({ length: nodes }, (_, i) =>
    weights.subarray(indptr[i], indptr[i + 1]).reduce((sum, weight) => sum + weight, 0),
  )
  const total = strengths.reduce((sum, strength) => sum + strength, 0)
  if (total === 0) return { quality: 0, total }
  let quality = 0
  for (let i = 0; i < nodes; i++) {
    for (let at = indptr[i]!; at < indptr[i + 1]!; at++)
      if (membership[i] === membership[indices[at]!]) quality += weights[at]!
    for (let j = 0; j < nodes; j++)
      if (membership[i] === membership[j]) quality -= (resolution * strengths[i]! * strengths[j]!) / total
  }
  return { quality, total }
}

/** Every node in every other cluster, or a new one, is tried. */
function expectNoBetterMove(graph: WeightedGraph, membership: Int32Array, resolution: number): void {
  const { quality, total } = qualityOf(graph, membership, resolution)
  let best = quality
  for (let node = 0; node < graph.nodes; node++)
    for (let to = 0; to <= graph.nodes; to++)
      best = Math.max(best, qualityOf(graph, membership.with(node, to), resolution).quality)
  expect(best).toBeLessThanOrEqual(quality + 1e-8 * total)
}

/** Whether nodes of one cluster have at least the weight to the rest of it that chance would give them (Traag 2019, R). */
function isWellConnected(
  { nodes, indptr, indices, weights }: WeightedGraph,
  set: number[],
  clusters: Int32Array,
  resolution: number,
): boolean {
  const strength = (members: number[]): number =>
    members.reduce(
      (sum, node) => sum + weights.subarray(indptr[node], indptr[node + 1]).reduce((all, w) => all + w, 0),
      0,
    )
  const everything = Array.from({ length: nodes }, (_, node) => node)
  const rest = everything.filter((node) => clusters[node] === clusters[set[0]!] && !set.includes(node))
  let outward = 0
  for (const node of set)
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++)
      if (rest.includes(indices[at]!)) outward += weights[at]!
  return outward >= (resolution * strength(set) * strength(rest)) / strength(everything) - 1e-9
}

describe('Leiden clusters', () => {
  it('are connected, numbered by falling size, and as good as is said', async () => {
    await fc.assert(
      fc.asyncProperty(anyGraph, anyResolution, iterations, async (graph, resolution, iterations) => {
        const found = await leiden(graph, { resolution, seed: 1, iterations })
        expect(connectedParts(graph, found.membership).count).toBe(found.clusters)
        expectNumberedBySize(found)
        const { quality, total } = qualityOf(graph, found.membership, resolution)
        expect(found.quality).toBeCloseTo(quality, 8)
        const atOne = qualityOf(graph, found.membership, 1).quality
        expect(found.modularity).toBeCloseTo(total === 0 ? 0 : atOne / total, 10)
      }),
      { numRuns: 200 },
    )
  })

  it('are not made better by moving one node, once they are stable', async () => {
    await fc.assert(
      fc.asyncProperty(anyGraph, anyResolution, async (graph, resolution) => {
        const { membership } = await leiden(graph, { resolution, seed: 2, iterations: -1 })
        expectNoBetterMove(graph, membership, resolution)
      }),
      { numRuns: 60 },
    )
  })

  it('come of moves that look again at nodes whose surroundings changed: a second round hardly finds a gain', async () => {
    const edges: [number, number, number][] = []
    for (let ring = 0; ring < 20; ring++)
      for (let i = 0; i < 20; i++)
        for (const ahead of [1, 2, 3, 4]) edges.push([ring * 20 + i, ring * 20 + ((i + ahead) % 20), 1])
    const network = networkOf(graphOf(400, edges))
    for (const seed of [0, 1, 2, 3]) {
      const membership = Int32Array.from({ length: 400 }, (_, node) => node)
      await moveNodes(network, membership, { resolution: 1, random: random(seed) })
      const before = membership.slice()
      await moveNodes(network, membership, { resolution: 1, random: random(seed + 100) })
      expect(membership.filter((cluster, node) => cluster !== before[node]).length).toBeLessThan(12)
    }
  })

  it('are refined into connected parts, each of which a well connected node joined when the rest was well connected', async () => {
    await fc.assert(
      fc.asyncProperty(anyGraph, anyResolution, fc.nat(2), async (graph, resolution, groups) => {
        const clusters = Int32Array.from({ length: graph.nodes }, (_, node) => node % (groups + 1))
        const options = { resolution, random: random(4), theta: 0.5 }
        const { refined, count } = await refine(networkOf(graph), clusters, options)
        expect(connectedParts(graph, refined).count).toBe(count)
        for (let part = 0; part < count; part++) {
          const nodes = Array.from(refined.keys()).filter((node) => refined[node] === part)
          expect(new Set(nodes.map((node) => clusters[node])).size).toBe(1)
          const isLast = (node: number): boolean =>
            isWellConnected(graph, [node], clusters, resolution) &&
            isWellConnected(
              graph,
              nodes.filter((other) => other !== node),
              clusters,
              resolution,
            )
          expect(nodes.length === 1 || nodes.some(isLast)).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('are the connected parts of the graph at resolution 0', async () => {
    await fc.assert(
      fc.asyncProperty(anyGraph, async (graph) => {
        const found = await leiden(graph, { resolution: 0, seed: 0, iterations: -1 })
        expect(found.clusters).toBe(connectedParts(graph).count)
      }),
    )
  })

  it('depend on the seed alone, and not on the unit of weights', async () => {
    await fc.assert(
      fc.asyncProperty(anyGraph, anyResolution, fc.nat(1000), async (graph, resolution, seed) => {
        const found = await leiden(graph, { resolution, seed })
        expect(await leiden(graph, { resolution, seed })).toEqual(found)
        const quadrupled = { ...graph, weights: graph.weights.map((weight) => weight * 4) }
        expect((await leiden(quadrupled, { resolution, seed })).membership).toEqual(found.membership)
      }),
    )
  })

  it('of cliques in a ring are the cliques', async () => {
    const edges: [number, number, number][] = []
    for (let clique = 0; clique < 12; clique++) {
      for (let i = 0; i < 6; i++) for (let j = 0; j < i; j++) edges.push([clique * 6 + i, clique * 6 + j, 1])
      edges.push([clique * 6, ((clique + 1) % 12) * 6 + 1, 1])
    }
    const { membership, clusters } = await leiden(graphOf(72, edges), { resolution: 1, seed: 0 })
    expect(clusters).toBe(12)
    expect(Array.from(membership)).toEqual(Array.from({ length: 72 }, (_, i) => Math.floor(i / 6)))
  })

  it('are none for an empty graph and one each for nodes without edges', async () => {
    expect(await leiden(graphOf(0, []), { resolution: 1, seed: 0 })).toEqual({
      membership: new Int32Array(),
      clusters: 0,
      modularity: 0,
      quality: 0,
    })
    const lone = await leiden(graphOf(3, []), { resolution: 1, seed: 0 })
    expect(Array.from(lone.membership)).toEqual([0, 1, 2])
  })

  it('are not computed to the end when told to stop, nor for options that make no sense', async () => {
    const graph = graphOf(3, [[0, 1, 1]])
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(leiden(graph, { resolution: 1, seed: 0, signal })).rejects.toThrow('enough')
    await expect(leiden(graph, { resolution: -1, seed: 0 })).rejects.toThrow(RangeError)
    await expect(leiden(graph, { resolution: 1, seed: 0, iterations: 0 })).rejects.toThrow(RangeError)
    const negative = graphOf(3, [[0, 1, -1]])
    await expect(leiden(negative, { resolution: 1, seed: 0 })).rejects.toThrow(RangeError)
  })
})

function expectNumberedBySize({ membership, clusters }: Clustering): void {
  const sizes = new Array<number>(clusters).fill(0)
  for (const cluster of membership) sizes[cluster]! += 1
  const firsts = sizes.map((_, cluster) => membership.indexOf(cluster))
  for (let cluster = 1; cluster < clusters; cluster++) {
    const [before, here] = [sizes[cluster - 1]!, sizes[cluster]!]
    expect(before > here || (before === here && firsts[cluster - 1]! < firsts[cluster]!)).toBe(true)
  }
}

it.each([
  [4_999, 5],
  [5_000, 10],
  [20_000, 15],
  [40_000, 20],
  [100_000, 25],
  [199_999, 25],
  [200_000, 30],
])('over-clustering of %i cells takes resolution %i, as CellTypist does', (cells, resolution) => {
  expect(overClusteringResolution(cells)).toBe(resolution)
})
