/** Tables of numbers stored whole (dense) as slabs of rows: zeros are left out, NaN stays. */
import type { Matrix, RowSlab, SlabOptions, SlabValues } from '../cells.ts'
import { defaultSlabBytes, entryBytes } from '../row-filler.ts'
import type { ArrayNode, NumberType, Tree } from '../tree.ts'
import { unsupported } from './column.ts'
import { numberTypeOf, rowRange, slabValues } from './stored-numbers.ts'

export function denseMatrix(tree: Tree, node: ArrayNode): Matrix {
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

function denseToSlab(
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
