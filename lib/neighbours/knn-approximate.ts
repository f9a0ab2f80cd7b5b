/**
 * Approximate nearest neighbours by usearch's HNSW graph (Malkov and Yashunin 2018), for more points than an exact search can take.
 * usearch proposes, distances are measured in float64. One thread builds the graph, because more make it differ from run to run;
 * the seed gives the order of insertion. Trap: usearch's own `exactSearch` ends the process when memory is short; it is not used.
 */
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import type { BatchMatches, Index, Matches } from 'usearch'
import { random } from '../job/random.ts'
import type { SearchControls } from './knn-exact.ts'
import { emptyNeighbours, nearestList, type Search } from './nearest-list.ts'
import type { Neighbours } from './points.ts'
import { searchSpace } from './search-space.ts'

const connectivity = 16
const expansionAdd = 128
/** Candidates that a search keeps in view; recall grows with it, and so does time. */
const expansionSearch = 128
/** Points added or searched in one go, a few tens of milliseconds. */
const batch = 256
const spare = 8

export async function approximateNeighbours(
  search: Search,
  controls: SearchControls & { seed: number },
): Promise<Neighbours> {
  const { references, queries, k } = search
  const space = searchSpace(references, queries)
  const index = await emptyIndex(references.dims, k + spare)
  const threads = controls.threads ?? availableParallelism()
  const turn = async (done: number): Promise<void> => {
    controls.onProgress?.(done)
    await setImmediate()
    controls.signal?.throwIfAborted()
  }

  const order = insertionOrder(references.rows, controls.seed)
  for (let start = 0; start < order.length; start += batch) {
    // one point a call, so that the graph is built by one thread; the number of threads is what usearch reserves for searches
    for (const row of order.subarray(start, start + batch))
      index.add(
        BigInt(row),
        rowsOf(space.references.values, { from: row, to: row + 1, dims: references.dims }),
        threads,
      )
    await turn((0.6 * Math.min(start + batch, order.length)) / order.length)
  }

  const result = emptyNeighbours(search)
  const list = nearestList(search, result)
  const wanted = Math.min(k + spare, references.rows)
  for (let start = 0; start < queries.rows; start += batch) {
    const end = Math.min(start + batch, queries.rows)
    const part = rowsOf(space.queries.values, { from: start, to: end, dims: queries.dims })
    const found = foundKeys(index.search([part], wanted, threads), wanted)
    for (let query = start; query < end; query++) {
      list.start(query)
      for (const key of found(query - start)) list.propose(Number(key))
      // a graph may leave a point without a way to k others: that one is searched in full
      if (list.worst() === Number.POSITIVE_INFINITY) {
        list.start(query)
        list.proposeAll()
      }
      list.finish()
    }
    await turn(0.6 + (0.4 * end) / queries.rows)
  }
  return result
}

async function emptyIndex(dimensions: number, wanted: number): Promise<Index> {
  const { Index, MetricKind, ScalarKind } = await import('usearch')
  return new Index({
    dimensions,
    metric: MetricKind.L2sq,
    quantization: ScalarKind.F32,
    connectivity,
    expansion_add: expansionAdd,
    expansion_search: Math.max(expansionSearch, 2 * wanted),
    multi: false,
  })
}

/** Shuffled: points that come sorted (one sample after the other) make a graph with fewer ways between them. */
function insertionOrder(rows: number, seed: number): Int32Array {
  return Int32Array.from(random(seed).shuffle(Array.from({ length: rows }, (_, row) => row)))
}

function rowsOf(
  values: Float32Array,
  { from, to, dims }: { from: number; to: number; dims: number },
): Float32Array {
  return values.subarray(from * dims, to * dims)
}

/** usearch answers a single query in another form than several. */
function foundKeys(matches: BatchMatches | Matches, wanted: number): (query: number) => BigUint64Array {
  if (!('counts' in matches)) return () => matches.keys
  return (query) => matches.keys.subarray(query * wanted, query * wanted + Number(matches.counts[query]!))
}
