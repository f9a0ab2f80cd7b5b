/**
 * Cell Ranger's HDF5: one `matrix` group (version 3) or one group a genome (version 2 and before, PyTables). The matrix is
 * stored features x cells by columns, which is cells x features by rows.
 *
 * The gene ids become the index, symbols a column: ids are unique, symbols are not, and nothing is renamed.
 */
import { BadInput } from '../job/errors.ts'
import { isNumbers, isText, requireNode } from './anndata/column.ts'
import { csrMatrix } from './anndata/matrix.ts'
import type { CellFile, Column, Table } from './cells.ts'
import type { GroupNode, Tree } from './tree.ts'

export interface TenxOptions {
  /** which genome of a version 2 file with several */
  genome?: string
}

/** True when the root looks like a 10x file; says nothing about whether it is a sound one. */
export async function isTenxHdf5(tree: Tree): Promise<boolean> {
  return (await matrixGroups(tree)).length > 0
}

/** @throws BadInput TENX_GENOMES when several genomes are there and none is named, TENX_INCOMPLETE */
export async function openTenxHdf5(tree: Tree, options: TenxOptions = {}): Promise<CellFile> {
  const groups = await matrixGroups(tree)
  const group = chooseGroup(tree, { groups, ...options })
  for (const name of ['data', 'indices', 'indptr', 'shape', 'barcodes']) {
    if (!group.children.includes(name)) throw incomplete(tree, `${group.path}/${name} is missing`)
  }
  const shape = await numbersAt(tree, `${group.path}/shape`)
  const [features, cells] = shape
  if (features === undefined || cells === undefined || shape.length !== 2)
    throw incomplete(tree, `${group.path}/shape is not two counts`)
  const matrix = await csrMatrix(tree, { path: group.path, rows: cells, columns: features })
  return {
    place: tree.place,
    format: '10x-hdf5',
    notices: [],
    rows: cells,
    columns: features,
    obs: () => barcodeTable(tree, { group, cells }),
    var: () => featureTable(tree, { group, features }),
    genesOf: () => featureTable(tree, { group, features }),
    matrices: ['X'],
    async matrix(name) {
      if (name !== 'X')
        throw new BadInput('MATRIX_MISSING', tree.place, `there is no '${name}'`, 'A 10x file has only X')
      return { ...matrix, name: 'X' }
    },
    close: () => tree.close(),
  }
}

async function matrixGroups(tree: Tree): Promise<GroupNode[]> {
  const root = await requireNode(tree, '/')
  if (root.kind !== 'group' || root.children.includes('obs')) return []
  const found: GroupNode[] = []
  for (const name of root.children.slice(0, 100)) {
    const node = await tree.node(`/${name}`)
    if (node?.kind === 'group' && ['data', 'indices', 'indptr'].every((part) => node.children.includes(part)))
      found.push(node)
  }
  return found
}

function chooseGroup(tree: Tree, { groups, genome }: { groups: GroupNode[]; genome?: string }): GroupNode {
  const names = groups.map((group) => group.path.slice(1))
  const chosen =
    genome === undefined && groups.length === 1
      ? groups[0]
      : groups.find((group) => group.path === `/${genome}`)
  if (chosen !== undefined) return chosen
  if (groups.length === 0) throw incomplete(tree, 'it has no matrix')
  const problem =
    genome === undefined
      ? `it holds ${groups.length} genomes: ${names.join(', ')}`
      : `it has no genome '${genome}'`
  throw new BadInput(
    'TENX_GENOMES',
    tree.place,
    problem,
    `Name one of them with the option "genome": ${names.join(', ')}`,
  )
}

async function barcodeTable(
  tree: Tree,
  { group, cells }: { group: GroupNode; cells: number },
): Promise<Table> {
  const index = await textAt(tree, `${group.path}/barcodes`)
  if (index.length !== cells) throw incomplete(tree, `${index.length} barcodes for ${cells} cells`)
  return { rows: cells, indexName: 'barcodes', index, columns: new Map() }
}

async function featureTable(
  tree: Tree,
  { group, features }: { group: GroupNode; features: number },
): Promise<Table> {
  const columns = new Map<string, Column>()
  const lists = group.children.includes('features')
    ? await featureLists(tree, `${group.path}/features`)
    : await oldFeatureLists(tree, group)
  for (const [name, values] of lists) {
    if (values.length !== features)
      throw incomplete(tree, `${values.length} values of ${name} for ${features} features`)
    columns.set(name, { kind: 'string', values })
  }
  const indexName = lists.has('gene_ids') ? 'gene_ids' : 'gene_symbols'
  const index = lists.get(indexName)
  if (index === undefined) throw incomplete(tree, 'it has no gene ids and no gene names')
  columns.delete(indexName)
  return { rows: features, indexName, index, columns }
}

/** stored name -> column name, as scanpy calls them */
const featureColumns = new Map([
  ['id', 'gene_ids'],
  ['name', 'gene_symbols'],
  ['feature_type', 'feature_types'],
  ['genome', 'genome'],
])

async function featureLists(tree: Tree, path: string): Promise<Map<string, string[]>> {
  const node = await requireNode(tree, path)
  const lists = new Map<string, string[]>()
  for (const name of node.kind === 'group' ? node.children : []) {
    const column = featureColumns.get(name)
    if (column !== undefined) lists.set(column, await textAt(tree, `${path}/${name}`))
  }
  return lists
}

async function oldFeatureLists(tree: Tree, group: GroupNode): Promise<Map<string, string[]>> {
  const lists = new Map<string, string[]>()
  if (group.children.includes('genes')) lists.set('gene_ids', await textAt(tree, `${group.path}/genes`))
  if (group.children.includes('gene_names'))
    lists.set('gene_symbols', await textAt(tree, `${group.path}/gene_names`))
  return lists
}

async function textAt(tree: Tree, path: string): Promise<string[]> {
  await requireNode(tree, path)
  const values = await tree.read(path)
  if (!isText(values)) throw incomplete(tree, `${path} holds no text`)
  return values
}

async function numbersAt(tree: Tree, path: string): Promise<number[]> {
  const values = await tree.read(path)
  if (!isNumbers(values)) throw incomplete(tree, `${path} holds no numbers`)
  return Array.from(values as Int32Array, Number)
}

function incomplete(tree: Tree, problem: string): BadInput {
  return new BadInput(
    'TENX_INCOMPLETE',
    tree.place,
    problem,
    'Give the .h5 that Cell Ranger wrote (filtered_feature_bc_matrix.h5)',
  )
}
