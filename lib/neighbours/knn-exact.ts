/**
 * Exact nearest neighbours: onnxruntime multiplies queries with references and proposes the best few by TopK, in float32; they are then
 * measured in float64. A query whose proposals cannot be proved to hold all the nearest (ties, duplicates, rounding) is measured against
 * every reference, so that the answer is that of a float64 search throughout. Memory is one batch of queries times one tile of references.
 */
import { setImmediate } from 'node:timers/promises'
import { writeModel } from '../graph/onnx-write.ts'
import { openSession, type Session } from '../graph/session.ts'
import { float32, int64, type Tensor } from '../graph/tensor.ts'
import type { ErrorReport } from '../job/errors.ts'
import { emptyNeighbours, type NearestList, nearestList, type Search } from './nearest-list.ts'
import type { Neighbours } from './points.ts'
import { type SearchSpace, searchSpace } from './search-space.ts'

export interface SearchControls {
  threads?: number
  signal?: AbortSignal
  /** share that is done, from 0 to 1 */
  onProgress?: (done: number) => void
}

/** Queries at a time, and references at a time: 64 MiB of scores, some ten milliseconds of two cores. */
const batch = 256
const tileRows = 65_536
/** Proposals beyond k: room for float32 to mix up the last places. */
const spare = 8
/** Unproved queries measured in one go, before others get their turn. */
const measuredAtOnce = 2e7

/** One tile of references: their coordinates in columns, below them minus half their squared lengths. */
interface Tile {
  start: number
  rows: number
  tensor: Tensor
}

/** Proposals of one tile for one batch of queries: rows x count. */
interface Proposals {
  tile: Tile
  count: number
  scores: Float32Array
  places: BigInt64Array
}

export async function exactNeighbours(search: Search, controls: SearchControls = {}): Promise<Neighbours> {
  const { queries, references } = search
  const result = emptyNeighbours(search)
  const list = nearestList(search, result)
  const space = searchSpace(references, queries)
  const tiles = tilesOf(space, references)
  // the CPU alone: a GPU's TF32 would void the bound on rounding that the proof rests on
  const notices: ErrorReport[] = []
  const session = await openSession(scoresModel(references.dims), {
    notices,
    ...(controls.threads === undefined ? {} : { threads: controls.threads }),
  })
  try {
    let measured = 0
    for (let start = 0; start < queries.rows; start += batch) {
      controls.signal?.throwIfAborted()
      const end = Math.min(start + batch, queries.rows)
      const feed = queryTensor(space, { start, end, dims: references.dims })
      const proposals: Proposals[] = []
      for (const tile of tiles)
        proposals.push(await propose(session, { feed, tile, count: search.k + spare }))
      for (let query = start; query < end; query++) {
        list.start(query)
        if (!takeProposals(list, { proposals, row: query - start, space, query })) {
          list.start(query)
          list.proposeAll()
          measured += references.rows * references.dims
        }
        list.finish()
        if (measured > measuredAtOnce) {
          measured = 0
          await setImmediate()
          controls.signal?.throwIfAborted()
        }
      }
      controls.onProgress?.(end / queries.rows)
      await setImmediate()
    }
  } finally {
    await session.close()
  }
  return result
}

/** score = q.r - |r|^2 / 2, largest for the nearest: the last column of a query is 1, the last row of a tile minus |r|^2 / 2. */
function scoresModel(dims: number): Uint8Array {
  return writeModel({
    name: 'nearest-references',
    inputs: [
      { name: 'queries', type: 'float32', shape: ['queries', dims + 1] },
      { name: 'references', type: 'float32', shape: [dims + 1, 'references'] },
      { name: 'count', type: 'int64', shape: [1] },
    ],
    outputs: [
      { name: 'scores', type: 'float32', shape: ['queries', 'count'] },
      { name: 'places', type: 'int64', shape: ['queries', 'count'] },
    ],
    nodes: [
      { op: 'MatMul', inputs: ['queries', 'references'], outputs: ['all'] },
      {
        op: 'TopK',
        inputs: ['all', 'count'],
        outputs: ['scores', 'places'],
        attributes: { axis: { int: -1 }, largest: { int: 1 }, sorted: { int: 0 } },
      },
    ],
  })
}

function tilesOf(space: SearchSpace, { rows, dims }: { rows: number; dims: number }): Tile[] {
  const { values, squares } = space.references
  const tiles: Tile[] = []
  for (let start = 0; start < rows; start += tileRows) {
    const length = Math.min(tileRows, rows - start)
    const data = new Float32Array((dims + 1) * length)
    for (let row = 0; row < length; row++) {
      for (let j = 0; j < dims; j++) data[j * length + row] = values[(start + row) * dims + j]!
      data[dims * length + row] = -squares[start + row]! / 2
    }
    tiles.push({ start, rows: length, tensor: float32(data, [dims + 1, length]) })
  }
  return tiles
}

function queryTensor(
  space: SearchSpace,
  { start, end, dims }: { start: number; end: number; dims: number },
): Tensor {
  const width = dims + 1
  const data = new Float32Array((end - start) * width)
  for (let query = start; query < end; query++) {
    const at = (query - start) * width
    data.set(space.queries.values.subarray(query * dims, (query + 1) * dims), at)
    data[at + dims] = 1
  }
  return float32(data, [end - start, width])
}

async function propose(
  session: Session,
  { feed, tile, count: wanted }: { feed: Tensor; tile: Tile; count: number },
): Promise<Proposals> {
  const count = Math.min(wanted, tile.rows)
  const { scores, places } = await session.run({
    queries: feed,
    references: tile.tensor,
    count: int64([count]),
  })
  return { tile, count, scores: scores!.data as Float32Array, places: places!.data as BigInt64Array }
}

/** Measures one query's proposals; true when no reference outside of them can belong to the list. */
function takeProposals(
  list: NearestList,
  given: { proposals: readonly Proposals[]; row: number; space: SearchSpace; query: number },
): boolean {
  const { proposals, row, space, query } = given
  let bestOutside = Number.NEGATIVE_INFINITY
  for (const { tile, count, scores, places } of proposals) {
    let lowest = Number.POSITIVE_INFINITY
    for (let at = row * count; at < (row + 1) * count; at++) {
      list.propose(tile.start + Number(places[at]!))
      lowest = Math.min(lowest, scores[at]!)
    }
    if (count < tile.rows) bestOutside = Math.max(bestOutside, lowest)
  }
  if (bestOutside === Number.NEGATIVE_INFINITY || list.worst() < 0) return true
  const square = space.queries.squares[query]!
  const worst = list.worst() * space.shrink ** 2
  const rounding = roundingOfScore({
    square,
    worst,
    dims: space.queries.values.length / space.queries.squares.length,
  })
  return worst < square - 2 * (bestOutside + rounding)
}

/**
 * How far a float32 score can lie from the true one, for a reference that could be as near as the worst of the list: by the triangle
 * inequality its length is at most that of the query plus that distance. Standard bound of a sum of dims + 1 products in any order
 * (Higham, Accuracy and Stability of Numerical Algorithms, 3.1), with the rounding of the coordinates themselves.
 */
function roundingOfScore({ square, worst, dims }: { square: number; worst: number; dims: number }): number {
  const length = Math.sqrt(square)
  const reach = length + Math.sqrt(worst)
  return (dims + 8) * 2 ** -24 * (length * reach + reach ** 2 / 2)
}
