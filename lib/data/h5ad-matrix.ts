/**
 * Matrices into an h5ad, slab by slab: CSR (csr_matrix 0.1.0) or dense (array 0.2.0); never whole in memory.
 * Trap: scipy wants indices and indptr of one type, and both must be 64-bit once more than 2^31 - 1 entries are stored.
 */
import type { Matrix, RowSlab } from './cells.ts'
import { convert, encoding, type H5adOptions, storedType } from './h5ad-arrays.ts'
import { NUMBERS, type StoredNumber } from './hdf5/write/datatype.ts'
import type { Hdf5Writer } from './hdf5/write/writer.ts'

const MOST_INT32 = 2 ** 31 - 1
const DENSE_BYTES = 4 << 20

/** What of a matrix is needed to write it. `stored` may be more than what comes, not less. */
export interface MatrixToWrite extends Pick<Matrix, 'rows' | 'columns' | 'type' | 'stored'> {
  slabs(options?: { transient?: boolean }): AsyncIterable<RowSlab>
  /** 'csr' when not given */
  layout?: 'csr' | 'dense'
}

/** Replaces what was at the path. */
export async function writeMatrix(
  writer: Hdf5Writer,
  path: string,
  { matrix, gzip }: { matrix: MatrixToWrite } & H5adOptions,
): Promise<void> {
  writer.remove(path)
  if (matrix.layout === 'dense') await writeDense(writer, path, { matrix, gzip })
  else await writeCsr(writer, path, { matrix, gzip })
}

type Options = { matrix: MatrixToWrite } & H5adOptions

async function writeCsr(writer: Hdf5Writer, path: string, { matrix, gzip }: Options): Promise<void> {
  const shape = BigInt64Array.of(BigInt(matrix.rows), BigInt(matrix.columns))
  writer.group(path, { shape: { type: 'int64', values: shape }, ...encoding('csr_matrix', '0.1.0') })
  const type = storedType(matrix.type)
  const indexType = matrix.stored > MOST_INT32 ? 'int64' : 'int32'
  // shuffled column numbers pack a third smaller and faster; values (counts, or logs of few counts) repeat, and do not
  const data = writer.stream(`${path}/data`, { type, gzip })
  const indices = writer.stream(`${path}/indices`, { type: indexType, gzip, shuffle: true })
  const indptr = writer.stream(`${path}/indptr`, { type: indexType, gzip, shuffle: true })
  await indptr.append(convert(Int32Array.of(0), indexType))
  let stored = 0
  for await (const slab of inOrder(matrix, path)) {
    const count = slab.indptr[slab.rows]!
    if (slab.indices.length < count || slab.values.length < count)
      throw new RangeError(`${path}: a slab is too short`)
    const base = stored
    const ends = Float64Array.from(slab.indptr.subarray(1, slab.rows + 1), (end) => base + end)
    stored += count
    if (stored > matrix.stored) throw new RangeError(`${path}: more entries come than were announced`)
    await indptr.append(convert(ends, indexType))
    await indices.append(convert(slab.indices.subarray(0, count), indexType))
    await data.append(convert(slab.values.subarray(0, count), type))
  }
  await data.close()
  await indices.close()
  await indptr.close()
}

async function writeDense(writer: Hdf5Writer, path: string, { matrix, gzip }: Options): Promise<void> {
  const type = storedType(matrix.type)
  const { rows, columns } = matrix
  if (rows === 0 || columns === 0) {
    for await (const _slab of inOrder(matrix, path));
    const values = NUMBERS[type].make(0)
    return writer.dataset(path, {
      type,
      shape: [rows, columns],
      values,
      attributes: encoding('array', '0.2.0'),
    })
  }
  const stream = writer.stream(path, {
    type,
    rowShape: [columns],
    gzip,
    attributes: encoding('array', '0.2.0'),
  })
  const rowsAtOnce = Math.max(1, Math.floor(DENSE_BYTES / (columns * NUMBERS[type].bytes)))
  for await (const slab of inOrder(matrix, path)) {
    for (let from = 0; from < slab.rows; from += rowsAtOnce) {
      await stream.append(denseRows(slab, { from, to: Math.min(slab.rows, from + rowsAtOnce), type }))
    }
  }
  await stream.close()
}

function denseRows(slab: RowSlab, { from, to, type }: { from: number; to: number; type: StoredNumber }) {
  const target = NUMBERS[type].make((to - from) * slab.columns)
  const values = convert(slab.values.subarray(slab.indptr[from]!, slab.indptr[to]!), type)
  for (let row = from, i = 0; row < to; row++) {
    const base = (row - from) * slab.columns
    for (const end = slab.indptr[row + 1]! - slab.indptr[from]!; i < end; i++) {
      target[base + slab.indices[slab.indptr[from]! + i]!] = values[i]!
    }
  }
  return target
}

/** The slabs, as long as they are what the matrix says of itself. */
async function* inOrder(matrix: MatrixToWrite, path: string): AsyncIterable<RowSlab> {
  let next = 0
  for await (const slab of matrix.slabs({ transient: true })) {
    if (slab.start !== next || slab.columns !== matrix.columns)
      throw new RangeError(`${path}: slabs do not follow`)
    next += slab.rows
    yield slab
  }
  if (next !== matrix.rows) throw new RangeError(`${path}: ${next} rows came, ${matrix.rows} were announced`)
}
