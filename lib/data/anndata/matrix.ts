/**
 * Matrices of an AnnData tree as slabs of rows: CSR, CSC and dense give the same thing. While the caller works on one
 * slab the next is being read. Stored numbers are checked on the way: offsets rise, indices lie inside, no entry twice.
 */
import { BadInput } from '../../job/errors.ts'
import type { Matrix, RowSlab, SlabOptions, SlabValues } from '../cells.ts'
import { entryBytes } from '../row-filler.ts'
import type { ArrayNode, GroupNode, NumberArray, NumberType, Tree } from '../tree.ts'
import { encodingOf, numbersOf } from './attributes.ts'
import { damaged, isNumbers, requireNode, unsupported } from './column.ts'
import { columnSlabs } from './csc.ts'

export const defaultSlabBytes = 16 * 2 ** 20

/** @throws BadInput when the path holds no matrix of numbers, or its parts do not fit together */
export async function openMatrix(tree: Tree, path: string): Promise<Matrix> {
  const node = await requireNode(tree, path)
  return node.kind === 'array' ? denseMatrix(tree, node) : sparseMatrix(tree, node)
}

export interface SparseParts {
  tree: Tree
  path: string
  rows: number
  columns: number
  stored: number
  type: NumberType
}

async function sparseMatrix(tree: Tree, node: GroupNode): Promise<Matrix> {
  const encoding = encodingOf(node)
  if (encoding !== 'csr_matrix' && encoding !== 'csc_matrix') {
    throw unsupported(
      tree,
      node.path,
      encoding === '' ? 'a group that is no sparse matrix' : `encoding '${encoding}'`,
    )
  }
  const { attributes } = node
  const shape =
    numbersOf(attributes.shape) ?? numbersOf(attributes.h5sparse_shape) ?? (await shapeDataset(tree, node))
  const [rows, columns] = shape ?? []
  if (rows === undefined || columns === undefined || shape?.length !== 2) {
    throw damaged(`${tree.place}:${node.path}`, `the shape is [${shape ?? ''}], not two counts`)
  }
  if (encoding === 'csr_matrix') return csrMatrix(tree, { path: node.path, rows, columns })
  const parts = await sparseParts(tree, { path: node.path, rows, columns, major: columns })
  const { stored, type } = parts
  return {
    name: node.path.slice(1),
    rows,
    columns,
    encoding: 'csc',
    type,
    stored,
    slabs: (options) => columnSlabs(parts, options),
  }
}

/** A group that holds data, indices and indptr by rows, whatever its attributes say. */
export async function csrMatrix(
  tree: Tree,
  shape: { path: string; rows: number; columns: number },
): Promise<Matrix> {
  const parts = await sparseParts(tree, { ...shape, major: shape.rows })
  const { rows, columns, stored, type } = parts
  return {
    name: shape.path.slice(1),
    rows,
    columns,
    encoding: 'csr',
    type,
    stored,
    slabs: (options) => rowSlabs(parts, options),
  }
}

async function sparseParts(
  tree: Tree,
  { path, rows, columns, major }: { path: string; rows: number; columns: number; major: number },
): Promise<SparseParts> {
  const data = await vector(tree, `${path}/data`)
  const indices = await vector(tree, `${path}/indices`)
  const indptr = await vector(tree, `${path}/indptr`)
  if (!isCount(rows) || !isCount(columns) || columns > 2 ** 31 - 2 || rows > 2 ** 31 - 2) {
    throw damaged(`${tree.place}:${path}`, `a shape of ${rows} x ${columns}`)
  }
  if (indptr.length !== major + 1) {
    throw damaged(
      `${tree.place}:${path}/indptr`,
      `${indptr.length} offsets where the shape asks for ${major + 1}`,
    )
  }
  if (indices.length !== data.length) {
    throw damaged(`${tree.place}:${path}`, `${indices.length} indices for ${data.length} values`)
  }
  if (indices.type.startsWith('float') || indptr.type.startsWith('float')) {
    throw damaged(`${tree.place}:${path}`, 'indices or indptr are not whole numbers')
  }
  return { tree, path, rows, columns, stored: data.length, type: data.type }
}

async function shapeDataset(tree: Tree, node: GroupNode): Promise<number[] | undefined> {
  if (!node.children.includes('shape')) return undefined
  await vector(tree, `${node.path}/shape`)
  const values = await tree.read(`${node.path}/shape`)
  return isNumbers(values) ? Array.from(values as Int32Array, Number) : undefined
}

async function vector(tree: Tree, path: string): Promise<{ length: number; type: NumberType }> {
  const node = await requireNode(tree, path)
  if (node.kind !== 'array' || node.shape?.length !== 1)
    throw damaged(`${tree.place}:${path}`, 'this is not a list of numbers')
  const type = numberTypeOf(node)
  if (type === undefined)
    throw damaged(`${tree.place}:${path}`, `it holds ${node.element.kind} values, not numbers`)
  return { length: node.shape[0] ?? 0, type }
}

function numberTypeOf(node: ArrayNode): NumberType | undefined {
  if (node.element.kind === 'boolean') return 'uint8'
  return node.element.kind === 'number' ? node.element.type : undefined
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

/** Frees the memory now: waiting for the collector means that every slab is new memory, which costs more than reading it. */
function takeBack({ indices, values }: RowSlab): void {
  for (const { buffer } of [indices, values]) if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}

interface Span {
  start: number
  rows: number
  /** offsets of the rows in data and indices, rows + 1 of them */
  offsets: Float64Array
}

async function* rowSlabs(parts: SparseParts, options: SlabOptions = {}): AsyncGenerator<RowSlab> {
  const { from, to } = rowRange(parts.rows, options)
  const entries = Math.max(1, Math.floor((options.slabBytes ?? defaultSlabBytes) / entryBytes(parts.type)))
  const seen = new Int32Array(parts.columns)
  let coming: Promise<RowSlab> | undefined
  const give = async function* (slab: Promise<RowSlab>): AsyncGenerator<RowSlab> {
    const checked = checkSlab(parts, await slab, seen)
    yield checked
    if (options.transient) takeBack(checked)
  }
  try {
    for await (const span of spans(parts, { from, to, entries })) {
      const next = readSpan(parts, span)
      next.catch(() => {})
      if (coming !== undefined) yield* give(coming)
      coming = next
    }
    if (coming !== undefined) yield* give(coming)
  } finally {
    await coming?.catch(() => {})
  }
}

/** Cuts rows into spans of at most `entries` stored values; a fuller row is a span of its own. */
async function* spans(
  parts: SparseParts,
  { from, to, entries }: { from: number; to: number; entries: number },
): AsyncGenerator<Span> {
  const window = 2 ** 18
  for (let base = from; base < to; base += window) {
    const end = Math.min(base + window, to)
    const offsets = await readOffsets(parts, { from: base, to: end })
    let first = 0
    for (let row = 1; row <= end - base; row++) {
      const full = row === end - base || (offsets[row + 1] ?? 0) - (offsets[first] ?? 0) > entries
      if (!full) continue
      yield { start: base + first, rows: row - first, offsets: offsets.slice(first, row + 1) }
      first = row
    }
  }
}

/** indptr[from..to], checked: from 0, never falling, ending at the number of stored values. */
export async function readOffsets(
  parts: SparseParts,
  range: { from: number; to: number },
): Promise<Float64Array> {
  const path = `${parts.path}/indptr`
  const values = await parts.tree.read(path, { from: range.from, to: range.to + 1 })
  if (!isNumbers(values)) throw damaged(`${parts.tree.place}:${path}`, 'the offsets are not numbers')
  const offsets = Float64Array.from(values as Int32Array, Number)
  let previous = range.from === 0 ? 0 : (offsets[0] ?? 0)
  if (range.from === 0 && offsets[0] !== 0)
    throw damaged(`${parts.tree.place}:${path}`, `it starts at ${offsets[0]}, not at 0`)
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] ?? 0
    if (!(offset >= previous && offset <= parts.stored)) {
      throw damaged(
        `${parts.tree.place}:${path}`,
        `offset ${offset} at ${range.from + i} falls or passes ${parts.stored} stored values`,
      )
    }
    previous = offset
  }
  return offsets
}

async function readSpan(parts: SparseParts, { start, rows, offsets }: Span): Promise<RowSlab> {
  const first = offsets[0] ?? 0
  const range = { from: first, to: offsets[rows] ?? 0 }
  const [indices, values] = await Promise.all([
    parts.tree.read(`${parts.path}/indices`, range),
    parts.tree.read(`${parts.path}/data`, range),
  ])
  const place = `${parts.tree.place}:${parts.path}`
  return {
    start,
    rows,
    columns: parts.columns,
    indptr: Int32Array.from(offsets, (offset) => offset - first),
    indices: wholeIndices(`${place}/indices`, indices),
    values: slabValues(`${place}/data`, values),
  }
}

export function wholeIndices(place: string, values: unknown): Int32Array {
  if (values instanceof Int32Array) return values
  if (!ArrayBuffer.isView(values)) throw damaged(place, 'the indices are not numbers')
  // what does not fit in 31 bits becomes -1 and is refused with the row it stands in
  return Int32Array.from(values as NumberArray as Int32Array, (value) => {
    const index = Number(value)
    return index >= 0 && index < 2 ** 31 ? index : -1
  })
}

/** 64-bit integers as float64 where each is exact. */
export function slabValues(place: string, values: unknown): SlabValues {
  if (!ArrayBuffer.isView(values)) throw damaged(place, 'the values are not numbers')
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    return Float64Array.from(values as BigInt64Array, (value) => {
      const number = Number(value)
      if (!Number.isSafeInteger(number)) {
        throw new BadInput(
          'VALUE_TOO_LARGE',
          place,
          `${value} is beyond 2^53 and cannot be held exactly`,
          'Store the matrix as float64',
        )
      }
      return number
    })
  }
  return values as SlabValues
}

/** `seen` is scratch memory for one matrix, zero at first: the last row (plus one) in which a column was met. */
function checkSlab(parts: SparseParts, slab: RowSlab, seen: Int32Array): RowSlab {
  const { indices, indptr, columns, rows } = slab
  for (let row = 0; row < rows; row++) {
    const end = indptr[row + 1]!
    let previous = -1
    let i = indptr[row]!
    // rising from 0: then only the last can be too large
    for (; i < end; i++) {
      const index = indices[i]!
      if (index <= previous) break
      previous = index
    }
    if (i < end || previous >= columns) checkUnsorted(parts, { slab, row, seen })
  }
  return slab
}

function checkUnsorted(
  parts: SparseParts,
  { slab, row, seen }: { slab: RowSlab; row: number; seen: Int32Array },
): void {
  const mark = slab.start + row + 1
  const end = slab.indptr[row + 1]!
  for (let i = slab.indptr[row]!; i < end; i++) {
    const index = slab.indices[i]!
    if (index < 0 || index >= slab.columns) throw outside(parts, { row: mark - 1, index })
    if (seen[index] === mark) throw twice(parts, { row: mark - 1, index })
    seen[index] = mark
  }
}

function outside(parts: SparseParts, { row, index }: { row: number; index: number }): BadInput {
  return damaged(
    `${parts.tree.place}:${parts.path}/indices`,
    `row ${row} names column ${index} of ${parts.columns}`,
  )
}

function twice(parts: SparseParts, { row, index }: { row: number; index: number }): BadInput {
  return new BadInput(
    'DUPLICATE_ENTRY',
    `${parts.tree.place}:${parts.path}`,
    `row ${row} stores column ${index} more than once`,
    'In Python: `adata.X.sum_duplicates()`, then write the file again',
  )
}

export function rowRange(rows: number, { from = 0, to = rows }: SlabOptions): { from: number; to: number } {
  if (!(isCount(from) && isCount(to) && from <= to && to <= rows))
    throw new RangeError(`rows ${from} to ${to} of ${rows}`)
  return { from, to }
}

function denseMatrix(tree: Tree, node: ArrayNode): Matrix {
  const [rows, columns] = node.shape ?? []
  const type = numberTypeOf(node)
  if (node.shape?.length !== 2 || rows === undefined || columns === undefined || type === undefined) {
    throw unsupported(
      tree,
      node.path,
      `an array of ${node.element.kind} values and shape [${node.shape ?? ''}]`,
    )
  }
  return {
    name: node.path.slice(1),
    rows,
    columns,
    encoding: 'dense',
    type,
    stored: rows * columns,
    slabs: (options) => denseSlabs(tree, { path: node.path, rows, columns, type }, options),
  }
}

async function* denseSlabs(
  tree: Tree,
  { path, rows, columns, type }: { path: string; rows: number; columns: number; type: NumberType },
  options: SlabOptions = {},
): AsyncGenerator<RowSlab> {
  const { from, to } = rowRange(rows, options)
  const step = Math.max(
    1,
    Math.floor((options.slabBytes ?? defaultSlabBytes) / Math.max(1, columns * entryBytes(type))),
  )
  const read = (start: number) => {
    const values = tree.read(path, { from: start, to: Math.min(to, start + step) })
    values.catch(() => {})
    return values
  }
  let coming = from < to ? read(from) : undefined
  for (let start = from; start < to; start += step) {
    const values = slabValues(`${tree.place}:${path}`, await coming)
    if (start + step < to) coming = read(start + step)
    yield denseToSlab(values, { start, rows: Math.min(step, to - start), columns })
  }
}

/** Zeros are left out; NaN stays. */
export function denseToSlab(
  dense: SlabValues,
  { start, rows, columns }: { start: number; rows: number; columns: number },
): RowSlab {
  const indptr = new Int32Array(rows + 1)
  let stored = 0
  for (let i = 0; i < dense.length; i++) if (dense[i] !== 0) stored++
  const indices = new Int32Array(stored)
  const values = dense.slice(0, stored)
  let at = 0
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = dense[row * columns + column] ?? 0
      if (value === 0) continue
      indices[at] = column
      values[at++] = value
    }
    indptr[row + 1] = at
  }
  return { start, rows, columns, indptr, indices, values }
}
