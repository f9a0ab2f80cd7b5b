/**
 * A weighted, undirected graph in compressed rows. Every edge is stored at both its ends with the same weight, as scanpy stores
 * `obsp["connectivities"]`; a loop (a node to itself) is stored once.
 */

export interface WeightedGraph {
  nodes: number
  /** nodes + 1 offsets into indices and weights */
  indptr: Int32Array | Float64Array
  /** the other ends, rising within a node */
  indices: Int32Array
  /** above 0 */
  weights: Float32Array
}

/** Which connected part each node is in, and the nodes of each; parts are numbered by their first node. */
export interface ConnectedParts {
  partOf: Int32Array
  count: number
}

/**
 * The connected parts of a graph. With `within`, only edges between nodes of the same group count, so that the parts are those of
 * each group by itself.
 */
export function connectedParts(graph: WeightedGraph, within?: Int32Array): ConnectedParts {
  const { nodes, indptr, indices, weights } = graph
  const partOf = new Int32Array(nodes).fill(-1)
  const reached = new Int32Array(nodes)
  let count = 0
  for (let start = 0; start < nodes; start++) {
    if (partOf[start] !== -1) continue
    let waiting = 0
    reached[waiting++] = start
    partOf[start] = count
    while (waiting > 0) {
      const node = reached[--waiting]!
      for (let at = indptr[node]!; at < indptr[node + 1]!; at++) {
        const other = indices[at]!
        if (partOf[other] !== -1 || !(weights[at]! > 0)) continue
        if (within !== undefined && within[other] !== within[node]) continue
        partOf[other] = count
        reached[waiting++] = other
      }
    }
    count++
  }
  return { partOf, count }
}
