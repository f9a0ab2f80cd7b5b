/**
 * Some rows of a matrix, chosen so that a file of any size, read by ranges, costs a bounded number of bytes: a few runs of
 * neighbouring rows, one at a random place in each stretch of the file.
 *
 * Trap: rows of CSC and unsorted MTX lie nowhere together. Small ones are read whole; of a large CSC only values can be
 * looked at, without knowing whose they are; a large MTX costs a pass over its text, which opening it has cost already.
 */
import type { AnnDataFile } from '../data/anndata/file.ts'
import { slabValues } from '../data/anndata/stored-numbers.ts'
import type { CellFile, Matrix, SlabValues } from '../data/cells.ts'
import { entryBytes } from '../data/row-filler.ts'
import type { Random } from '../job/random.ts'

export interface Range {
  from: number
  to: number
}

export type SamplePlan =
  | { kind: 'rows'; ranges: Range[] }
  /** stored values of a CSC */
  | { kind: 'values'; ranges: Range[] }
  /** one chunk alone is too large */
  | { kind: 'none'; chunkBytes: number }

export interface SampleOptions {
  /** rows wanted */
  rows: number
  /** what may be read of this matrix */
  bytes: number
  random: Random
}

const mostRuns = 10
/** a look at a remote HDF5 file fetches at least this much at each place (lib/data/hdf5/worker-client.ts) */
const leastRead = 512 * 2 ** 10
/** a packed chunk may unpack to this many times what may be read: counts deflate to a quarter and less */
const deflated = 4

export async function planSample(
  file: CellFile,
  matrix: Matrix,
  { rows, bytes, random }: SampleOptions,
): Promise<SamplePlan> {
  const whole: SamplePlan = { kind: 'rows', ranges: [{ from: 0, to: matrix.rows }] }
  const all = matrix.stored * storedBytes(matrix)
  const byRows = matrix.encoding === 'csr' || matrix.encoding === 'dense'
  if (matrix.rows === 0 || (byRows ? matrix.rows <= rows && all <= bytes : all <= bytes)) return whole
  if (matrix.encoding === 'mtx')
    return { kind: 'rows', ranges: runs(matrix.rows, { wanted: rows, count: 1, random }) }
  const { chunkBytes, chunkRows, isPacked } = await chunkOf(file, matrix)
  if (chunkBytes > bytes * (isPacked ? deflated : 1)) return { kind: 'none', chunkBytes }
  const count = Math.max(1, Math.min(mostRuns, Math.floor(bytes / 2 / chunkBytes)))
  if (matrix.encoding === 'csc') {
    const values = Math.floor(bytes / 2 / storedBytes(matrix))
    return { kind: 'values', ranges: runs(matrix.stored, { wanted: values, count, random }) }
  }
  const affordable = Math.max(1, Math.floor(bytes / 2 / (all / matrix.rows)))
  const wanted = Math.min(rows, affordable)
  return { kind: 'rows', ranges: runs(matrix.rows, { wanted, count, random, step: chunkRows }) }
}

/** Runs that together hold `wanted` of `length` places, one at a random place of each of `count` equal stretches. */
function runs(
  length: number,
  { wanted, count, random, step = 1 }: { wanted: number; count: number; random: Random; step?: number },
): Range[] {
  const stretches = Math.min(count, wanted, length)
  const each = Math.ceil(Math.min(wanted, length) / stretches)
  return Array.from({ length: stretches }, (_, i) => {
    const first = Math.floor((i * length) / stretches)
    const last = Math.floor(((i + 1) * length) / stretches)
    const size = Math.min(each, last - first)
    const free = Math.min(last - first - size + 1, 2 ** 32)
    const chosen = first + random.integer(free)
    // from the first row of a chunk on, where that is within the stretch: a run costs one band of chunks less
    const from = Math.max(first, chosen - (chosen % step))
    return { from, to: from + size }
  })
}

interface Chunk {
  /** bytes that a look at one place brings with it, unpacked */
  chunkBytes: number
  /** rows that lie in one chunk of a dense matrix */
  chunkRows: number
  isPacked: boolean
}

async function chunkOf(file: CellFile, matrix: Matrix): Promise<Chunk> {
  const unknown: Chunk = { chunkBytes: 3 * leastRead, chunkRows: 1, isPacked: false }
  if (!isAnnData(file)) return unknown
  const path = file.pathOf(matrix.name)
  const node = await file.tree.node(matrix.encoding === 'dense' ? path : `${path}/data`)
  if (node?.kind !== 'array' || node.chunks === undefined) return unknown
  const isPacked = node.filters.length > 0
  const extent = Math.max(1, node.chunks[0] ?? 1)
  const isDense = matrix.encoding === 'dense'
  // a band of chunks is as wide as the matrix
  const bytes = extent * (isDense ? matrix.columns : 1) * storedBytes(matrix)
  return { chunkBytes: Math.max(3 * leastRead, bytes), chunkRows: isDense ? extent : 1, isPacked }
}

/** Bytes of one stored value, with its column where that is stored too. */
function storedBytes({ encoding, type }: Matrix): number {
  return entryBytes(type) - (encoding === 'dense' ? 4 : 0)
}

/** Stored values of a CSC, in pieces. */
export async function* storedValues(
  file: CellFile,
  matrix: Matrix,
  { ranges }: { ranges: Range[] },
): AsyncGenerator<SlabValues> {
  if (!isAnnData(file)) throw new Error(`${file.place}: only AnnData files hold a CSC`)
  const path = `${file.pathOf(matrix.name)}/data`
  for (const range of ranges) yield slabValues(`${file.place}:${path}`, await file.tree.read(path, range))
}

function isAnnData(file: CellFile): file is AnnDataFile {
  return file.format === 'h5ad' || file.format === 'zarr'
}
