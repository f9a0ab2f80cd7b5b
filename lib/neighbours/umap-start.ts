/**
 * The places from which UMAP begins: spectral, or given. Either way each axis is stretched to [0, 10], as umap-learn does, and every point
 * gets a little noise, so that points which coincide can part.
 */
import type { Random } from '../job/random.ts'
import type { Points } from './points.ts'
import { spectralLayout } from './spectral-layout.ts'
import type { WeightedGraph } from './weighted-graph.ts'

const extent = 10
const noise = 1e-4

export interface StartOptions {
  init?: 'spectral' | Points
  random: Random
  signal?: AbortSignal
}

/** @throws RangeError for given points that are not as many as the graph's nodes, or not finite */
export async function startingPlaces(
  graph: WeightedGraph,
  { init = 'spectral', random, signal }: StartOptions,
): Promise<Float32Array<ArrayBuffer>> {
  const places =
    init === 'spectral' ? await spectralLayout(graph, { random, signal }) : firstColumns(init, graph.nodes)
  stretch(places)
  return Float32Array.from(places, (place) => place + noise * random.normal())
}

function firstColumns({ rows, dims, values }: Points, nodes: number): Float64Array {
  if (rows !== nodes) throw new RangeError(`${rows} places were given for ${nodes} points`)
  const places = new Float64Array(rows * 2)
  for (let row = 0; row < rows; row++)
    for (let j = 0; j < Math.min(2, dims); j++) {
      const value = values[row * dims + j]!
      if (!Number.isFinite(value)) throw new RangeError(`place ${value} of point ${row} is not finite`)
      places[row * 2 + j] = value
    }
  return places
}

/** Each axis to [0, extent]; one on which all coincide to 0. */
function stretch(places: Float64Array): void {
  for (const axis of [0, 1]) {
    let low = Number.POSITIVE_INFINITY
    let high = Number.NEGATIVE_INFINITY
    for (let i = axis; i < places.length; i += 2) {
      low = Math.min(low, places[i]!)
      high = Math.max(high, places[i]!)
    }
    const scale = high > low ? extent / (high - low) : 0
    for (let i = axis; i < places.length; i += 2) places[i] = (places[i]! - low) * scale
  }
}
