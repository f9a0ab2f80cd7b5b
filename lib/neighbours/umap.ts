/**
 * UMAP (McInnes, Healy and Melville 2018): a plane in which the neighbours of a point stay its neighbours. Defaults are scanpy's.
 * Coordinates are no other program's (each draws its own chance numbers); how well neighbours are kept is the same as umap-learn's.
 */
import { random } from '../job/random.ts'
import { fuzzyGraph } from './fuzzy-graph.ts'
import { pause } from './pause.ts'
import type { Neighbours, Points } from './points.ts'
import { fitCurve } from './umap-curve.ts'
import { tabulateForces } from './umap-forces.ts'
import { type Descent, descend, type Edges, initialWords } from './umap-layout.ts'
import { startingPlaces } from './umap-start.ts'
import type { WeightedGraph } from './weighted-graph.ts'

/** edges between two looks at the event loop: a few tens of milliseconds at most */
const edgesAtOnce = 200_000

export interface LayoutOptions {
  /** whole number in [0, 2^32) */
  seed: number
  /** how close points may lie, 0.5; at most `spread` */
  minDist?: number
  /** scale of the whole, 1 */
  spread?: number
  /** 500 up to 10,000 points, then 200 */
  epochs?: number
  /** where points start: from the graph, or the first two columns of points given (of a PCA, of an earlier layout) */
  init?: 'spectral' | Points
  /** strangers pushed off for each neighbour drawn near, 5 */
  negativeSamples?: number
  /** first step, 1; falls evenly to 0 */
  learningRate?: number
  /** weight of pushing off, 1 */
  repulsion?: number
  /** told the share that is done, from 0 to 1 */
  onProgress?: (share: number) => void
  signal?: AbortSignal
}

/**
 * @param from the neighbours of points (themselves included), or the graph made of them
 * @returns points x 2, always finite; the same for the same input and seed
 * @throws RangeError for options out of range; the signal's reason when it is aborted
 */
export async function layOut(
  from: WeightedGraph | Neighbours,
  options: LayoutOptions,
): Promise<Float32Array<ArrayBuffer>> {
  const { seed, minDist = 0.5, spread = 1, negativeSamples = 5, learningRate = 1, repulsion = 1 } = options
  const graph = 'indptr' in from ? from : fuzzyGraph(from)
  const epochs = options.epochs ?? (graph.nodes <= 10_000 ? 500 : 200)
  for (const count of [epochs, negativeSamples])
    if (!Number.isInteger(count) || count < 0) throw new RangeError(`${count} is not a whole number from 0`)
  const curve = fitCurve({ minDist, spread })
  const chance = random(seed)
  const strong = withoutRareEdges(graph, epochs)
  const layout = await startingPlaces(strong, { ...options, random: chance.fork('start') })
  const edges = edgesOf(strong)
  const descent: Descent = {
    ...edges,
    layout,
    others: layout,
    due: edges.period.slice(),
    forces: tabulateForces(curve, { repulsion }),
    negativeSamples,
    words: initialWords(chance.fork('descent').state()),
  }
  await descendAll(descent, { ...options, epochs, learningRate })
  return layout
}

async function descendAll(
  descent: Descent,
  options: Pick<LayoutOptions, 'onProgress' | 'signal'> & { epochs: number; learningRate: number },
): Promise<void> {
  const { epochs, learningRate, onProgress, signal } = options
  const edges = descent.heads.length
  let sincePause = 0
  for (let epoch = 0; epoch < epochs; epoch++) {
    const step = learningRate * (1 - epoch / epochs)
    for (let from = 0; from < edges; from += edgesAtOnce) {
      const to = Math.min(from + edgesAtOnce, edges)
      descend(descent, { epoch, step, from, to })
      sincePause += to - from
      if (sincePause < edgesAtOnce) continue
      sincePause = 0
      onProgress?.(epoch / epochs)
      await pause(signal)
    }
  }
  onProgress?.(1)
}

/** Edges so weak that they would not have one turn are left out; where points start is decided without them, too. */
function withoutRareEdges(graph: WeightedGraph, epochs: number): WeightedGraph {
  const { nodes, indptr, indices, weights } = graph
  const least = heaviest(weights) / Math.max(epochs, 1)
  const starts = new Int32Array(nodes + 1)
  const ends = new Int32Array(indices.length)
  const kept = new Float32Array(indices.length)
  let count = 0
  for (let node = 0; node < nodes; node++) {
    for (let at = indptr[node]!; at < indptr[node + 1]!; at++) {
      const weight = weights[at]!
      if (!(weight > 0) || weight < least || indices[at] === node) continue
      ends[count] = indices[at]!
      kept[count++] = weight
    }
    starts[node + 1] = count
  }
  return { nodes, indptr: starts, indices: ends.slice(0, count), weights: kept.slice(0, count) }
}

function heaviest(weights: Float32Array): number {
  let most = 0
  for (const weight of weights) if (weight > most) most = weight
  return most
}

function edgesOf({ nodes, indptr, indices, weights }: WeightedGraph): Edges {
  const most = heaviest(weights)
  const heads = new Int32Array(indices.length)
  for (let node = 0; node < nodes; node++) heads.fill(node, indptr[node]!, indptr[node + 1]!)
  return { heads, tails: indices, period: Float64Array.from(weights, (weight) => most / weight) }
}
