/** Matrices of an AnnData tree: what is at a path is found to be CSR, CSC or dense, and its parts to fit together. */
import type { Matrix } from '../cells.ts'
import type { GroupNode, NumberType, Tree } from '../tree.ts'
import { encodingOf, numbersOf } from './attributes.ts'
import { damaged, isNumbers, requireNode, unsupported } from './column.ts'
import { columnSlabs } from './csc.ts'
import { rowSlabs } from './csr.ts'
import { denseMatrix } from './dense.ts'
import { isCount, numberTypeOf, type SparseParts } from './stored-numbers.ts'

/** @throws BadInput when the path holds no matrix of numbers, or its parts do not fit together */
export async function openMatrix(tree: Tree, path: string): Promise<Matrix> {
  const node = await requireNode(tree, path)
  return node.kind === 'array' ? denseMatrix(tree, node) : sparseMatrix(tree, node)
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
