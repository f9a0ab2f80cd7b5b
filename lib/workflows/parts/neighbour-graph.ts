/** The graph of neighbours as scanpy keeps it: two sparse matrices in obsp, and in uns what they are. */
import type { RowSlab } from '../../data/cells.ts'
import type { PlainValue } from '../../data/h5ad-element.ts'
import type { MatrixToWrite } from '../../data/h5ad-matrix.ts'
import type { Elements } from '../../data/write-h5ad.ts'
import type { AnnotationNames } from '../../job/stored-names.ts'
import { fuzzyGraph } from '../../neighbours/fuzzy-graph.ts'
import type { CellsContext } from '../workflow.ts'

export async function readGraph(
  context: CellsContext,
  { cells, names }: { cells: number; names: AnnotationNames['neighbours'] },
): Promise<{ obsp: Elements; uns: Record<string, PlainValue> }> {
  const step = context.before('Label')
  const indices = await step.readBlock('neighbour-indices', Int32Array)
  const distances = await step.readBlock('neighbour-distances', Float32Array)
  const k = indices.length / cells
  const graph = fuzzyGraph({ rows: cells, k, indices, distances })
  const matrix = (indptr: Int32Array | Float64Array, columns: Int32Array, values: Float32Array) => ({
    kind: 'matrix' as const,
    matrix: oneSlab({ start: 0, rows: cells, columns: cells, indptr, indices: columns, values }),
  })
  const { settings } = context.road
  return {
    obsp: new Map([
      [names.connectivities, matrix(graph.indptr, Int32Array.from(graph.indices), graph.weights)],
      [names.distances, matrix(...distanceRows({ cells, k, indices, distances }))],
    ]),
    uns: {
      [names.uns]: {
        connectivities_key: names.connectivities,
        distances_key: names.distances,
        params: { method: 'umap', metric: 'euclidean', n_neighbors: k, random_state: settings.seed },
      },
    },
  }
}

/** Without the cell itself, which scanpy leaves out of the distances. */
function distanceRows(at: {
  cells: number
  k: number
  indices: Int32Array
  distances: Float32Array
}): [Int32Array, Int32Array, Float32Array] {
  const { cells, k, indices, distances } = at
  const indptr = Int32Array.from({ length: cells + 1 }, (_, row) => row * (k - 1))
  const columns = new Int32Array(cells * (k - 1))
  const values = new Float32Array(cells * (k - 1))
  for (let row = 0; row < cells; row++) {
    const pairs = Array.from({ length: k - 1 }, (_, i) => row * k + 1 + i)
    pairs.sort((a, b) => indices[a]! - indices[b]!)
    for (const [i, from] of pairs.entries()) {
      columns[row * (k - 1) + i] = indices[from]!
      values[row * (k - 1) + i] = distances[from]!
    }
  }
  return [indptr, columns, values]
}

function oneSlab(slab: RowSlab): MatrixToWrite {
  return {
    rows: slab.rows,
    columns: slab.columns,
    type: 'float32',
    stored: slab.values.length,
    async *slabs() {
      yield slab
    },
  }
}
