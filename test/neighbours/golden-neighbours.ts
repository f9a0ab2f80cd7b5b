/** The golden data of pbmc68k_reduced (shared/golden/neighbours): its components and what Python's programs made of them. */
import type { Neighbours, Points } from '../../lib/neighbours/points.ts'
import type { WeightedGraph } from '../../lib/neighbours/weighted-graph.ts'
import { goldenTable } from '../support/golden-table.ts'
import { graphOf } from '../support/neighbour-measures.ts'

export function goldenPoints(): Points {
  const { rows, columns, values } = goldenTable('neighbours', 'X_pca.csv.gz')
  return { rows, dims: columns.length, values: Float32Array.from(values) }
}

/** The first k of the 16 Euclidean neighbours, the cell itself first. */
export function goldenNeighbours(k: number): Neighbours {
  const [indices, distances] = ['knn16_indices.csv.gz', 'knn16_distances.csv.gz'].map((name) => {
    const { rows, columns, values } = goldenTable('neighbours', name)
    const width = columns.length
    return Array.from({ length: rows * k }, (_, at) => values[Math.floor(at / k) * width + (at % k)]!)
  })
  return {
    rows: indices!.length / k,
    k,
    indices: Int32Array.from(indices!),
    distances: Float32Array.from(distances!),
  }
}

/** scanpy's connectivities. */
export function goldenGraph(nodes: number): WeightedGraph {
  const { rows, values } = goldenTable('neighbours', 'umap_connectivities.csv.gz')
  const edges = Array.from(
    { length: rows },
    (_, i) => [values[i * 3]!, values[i * 3 + 1]!, values[i * 3 + 2]!] as const,
  )
  return graphOf(
    nodes,
    edges.filter(([from, to]) => from < to),
  )
}
