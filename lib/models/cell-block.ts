/**
 * The cells of a training as a graph takes them whole (lib/graph/feeds.ts): counts as CSR, and one row a cell of whatever else the network asks for.
 * Nothing is copied but where cells begin: a session on the CPU reads the arrays in place.
 */
import type { BlockOptions } from '../graph/feeds.ts'
import { float32, type Tensor } from '../graph/tensor.ts'
import type { TrainingCells } from './training-cells.ts'

/** What numbers places among all entries. */
export function placesOf({ counts }: Pick<TrainingCells, 'counts'>): NonNullable<BlockOptions['places']> {
  return counts.length < 2 ** 31 ? 'int32' : 'int64'
}

/** By the names of the graph's inputs. */
export function cellBlock(
  data: TrainingCells,
  { block, places = placesOf(data) }: { block: ReadonlySet<string> } & BlockOptions,
): Record<string, Tensor> {
  return Object.fromEntries([...block].map((part) => [`block ${part}`, partOf(part, { data, places })]))
}

function partOf(
  part: string,
  { data, places }: { data: TrainingCells; places: BlockOptions['places'] },
): Tensor {
  const { cells, indptr, indices, counts, library, continuous, labels, dispersions, categories } = data
  if (part === 'indptr') return startsOf(indptr, places)
  if (part === 'indices') return whole(indices)
  if (part === 'counts') return float32(counts)
  if (part === 'library') return float32(library, [cells, 1])
  if (part === 'continuous') return float32(continuous!, [cells, continuous!.length / cells])
  if (part === 'labels') return whole(dispersions ?? new Int32Array(cells).fill(-1))
  if (part === 'classes') return whole(labels!)
  const covariate = /^category (\d+)$/.exec(part)?.[1]
  if (covariate === undefined) throw new Error(`cells have no '${part}'`)
  return whole(categories[Number(covariate)]!)
}

/** @throws Error for a cell without counts, of which the graph would take its neighbour's (lib/graph/csr-rows.ts) */
function startsOf(indptr: Float64Array, places: BlockOptions['places']): Tensor {
  for (let cell = 0; cell + 1 < indptr.length; cell++)
    if (indptr[cell + 1]! <= indptr[cell]!) throw new Error(`cell ${cell} has no counts`)
  if (places === 'int32') return whole(Int32Array.from(indptr))
  return { type: 'int64', shape: [indptr.length], data: BigInt64Array.from(indptr, BigInt) }
}

function whole(data: Int32Array): Tensor {
  return { type: 'int32', shape: [data.length], data }
}
