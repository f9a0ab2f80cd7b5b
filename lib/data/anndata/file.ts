/**
 * An AnnData tree (h5ad or zarr) opened: what is in it, by name, with nothing but shapes read. Covers what anndata has
 * written since 0.5, among it root-level `raw.X` and compound tables of 0.6 and earlier.
 */
import { BadInput } from '../../job/errors.ts'
import type { CellFile, Matrix, Table } from '../cells.ts'
import type { GroupNode, Tree, TreeNode } from '../tree.ts'
import { requireNode } from './column.ts'
import { type Element, readElement, readMapping } from './element.ts'
import { openMatrix } from './matrix.ts'
import { columnNames, countRows, readTable } from './table.ts'

export interface AnnDataFile extends CellFile {
  readonly format: 'h5ad' | 'zarr'
  readonly tree: Tree
  /** paths of the matrices: 'raw/X' may lie at '/raw.X' */
  pathOf(matrix: string): string
  /** names in obsm, varm, obsp, varp, layers or uns; [] where there is none */
  namesIn(group: 'obsm' | 'varm' | 'obsp' | 'varp' | 'layers' | 'uns'): readonly string[]
  /** columns of obs or var without reading them; undefined where the table is one compound dataset */
  columnsOf(table: 'obs' | 'var'): Promise<string[] | undefined>
  /** arrays, tables and matrices by name; empty where there is no such group */
  mapping(group: 'obsm' | 'varm' | 'obsp' | 'varp'): Promise<Map<string, Element>>
  /** one entry of uns */
  unstructured(name: string): Promise<Element>
  /** genes of raw/X, where there is a raw */
  rawVar(): Promise<Table | undefined>
}

/** @throws BadInput NOT_ANNDATA, MUDATA, LOOM when it is something else; SHAPE_MISMATCH when its parts do not fit */
export async function openAnnData(tree: Tree): Promise<AnnDataFile> {
  const root = await requireNode(tree, '/')
  if (root.kind !== 'group') throw notAnnData(tree, 'it holds a single array')
  refuseOthers(tree, root)
  const rows = await countRows(tree, '/obs')
  const columns = await countRows(tree, '/var')
  const groups = new Map<string, readonly string[]>()
  for (const name of ['obsm', 'varm', 'obsp', 'varp', 'layers', 'uns', 'raw']) {
    groups.set(name, await childrenOf(tree, root, name))
  }
  const paths = matrixPaths(root, groups)
  if (paths.has('X')) await checkShape(tree, { path: '/X', rows, columns })

  const tableOf = (path: string) => remember(() => readTable(tree, path))
  const obs = tableOf('/obs')
  const genes = tableOf('/var')
  const rawPath = rawVarPath(root, groups)
  const rawVar = rawPath === undefined ? async () => undefined : tableOf(rawPath)

  const pathOf = (name: string): string => {
    const path = paths.get(name)
    if (path === undefined) throw noMatrix(tree, name, [...paths.keys()])
    return path
  }
  return {
    place: tree.place,
    format: tree.format === 'hdf5' ? 'h5ad' : 'zarr',
    tree,
    notices: [],
    rows,
    columns,
    obs,
    var: genes,
    matrices: [...paths.keys()],
    pathOf,
    namesIn: (group) => groups.get(group) ?? [],
    async columnsOf(table) {
      const node = await requireNode(tree, `/${table}`)
      return node.kind === 'group' ? columnNames(tree, node) : undefined
    },
    rawVar,
    async mapping(group) {
      if (root.children.includes(group)) return readMapping(tree, `/${group}`)
      return group === 'obsp' ? oldNeighbours(tree, groups.get('uns') ?? []) : new Map()
    },
    unstructured: (name) => readElement(tree, `/uns/${name}`),
    async matrix(name) {
      const matrix: Matrix = { ...(await openMatrix(tree, pathOf(name))), name }
      const wide = name === 'raw/X' ? matrix.columns : columns
      if (matrix.rows !== rows || matrix.columns !== wide)
        throw mismatch(tree, { path: pathOf(name), matrix, rows, columns: wide })
      return matrix
    },
    async genesOf(name) {
      return (name === 'raw/X' ? await rawVar() : undefined) ?? genes()
    },
    close: () => tree.close(),
  }
}

function remember<Value>(load: () => Promise<Value>): () => Promise<Value> {
  let loaded: Promise<Value> | undefined
  return () => {
    loaded ??= load()
    return loaded
  }
}

function refuseOthers(tree: Tree, root: GroupNode): void {
  const has = (name: string): boolean => root.children.includes(name)
  if (has('mod') || root.attributes['encoding-type'] === 'MuData') throw muData(tree.place)
  if (has('row_attrs') && has('col_attrs')) {
    throw new BadInput(
      'LOOM',
      tree.place,
      'this is a loom file',
      'Convert it: `anndata.read_loom(path).write_h5ad("cells.h5ad")`',
    )
  }
  if (!has('obs') || !has('var')) {
    const names = root.children.slice(0, 8).join(', ')
    throw notAnnData(
      tree,
      `it has no ${has('obs') ? 'var' : 'obs'} (it holds: ${names === '' ? 'nothing' : names})`,
    )
  }
}

export function muData(place: string): BadInput {
  return new BadInput(
    'MUDATA',
    place,
    'this is a MuData file: it holds several modalities',
    'Write the one you mean to a file of its own: `mdata["rna"].write_h5ad("rna.h5ad")`',
  )
}

function notAnnData(tree: Tree, problem: string): BadInput {
  return new BadInput(
    'NOT_ANNDATA',
    tree.place,
    problem,
    'Give an AnnData file (.h5ad or .zarr), a 10x .h5 or a 10x folder of MTX files',
  )
}

async function childrenOf(tree: Tree, root: GroupNode, name: string): Promise<readonly string[]> {
  if (!root.children.includes(name)) return []
  const node: TreeNode | undefined = await tree.node(`/${name}`)
  if (node?.kind === 'group') return node.children
  // obsm of 0.6 is one compound dataset whose members are the arrays
  return node?.kind === 'array' && node.element.kind === 'compound'
    ? node.element.members.map((member) => member.name)
    : []
}

/** Before obsp (anndata 0.7) the graphs of cells lay in uns; anndata moves them when it reads, and so do we. */
async function oldNeighbours(tree: Tree, uns: readonly string[]): Promise<Map<string, Element>> {
  const found = new Map<string, Element>()
  const node = uns.includes('neighbors') ? await tree.node('/uns/neighbors') : undefined
  for (const name of ['distances', 'connectivities']) {
    if (node?.kind !== 'group' || !node.children.includes(name)) continue
    const element = await readElement(tree, `/uns/neighbors/${name}`)
    if (element.kind === 'matrix' || (element.kind === 'array' && element.shape.length === 2))
      found.set(name, element)
  }
  return found
}

function matrixPaths(root: GroupNode, groups: Map<string, readonly string[]>): Map<string, string> {
  const paths = new Map<string, string>()
  if (root.children.includes('X')) paths.set('X', '/X')
  for (const name of groups.get('layers') ?? []) paths.set(`layers/${name}`, `/layers/${name}`)
  if (groups.get('raw')?.includes('X')) paths.set('raw/X', '/raw/X')
  else if (root.children.includes('raw.X')) paths.set('raw/X', '/raw.X')
  return paths
}

function rawVarPath(root: GroupNode, groups: Map<string, readonly string[]>): string | undefined {
  if (groups.get('raw')?.includes('var')) return '/raw/var'
  return root.children.includes('raw.var') ? '/raw.var' : undefined
}

async function checkShape(
  tree: Tree,
  { path, rows, columns }: { path: string; rows: number; columns: number },
): Promise<void> {
  const matrix = await openMatrix(tree, path)
  if (matrix.rows !== rows || matrix.columns !== columns)
    throw mismatch(tree, { path, matrix, rows, columns })
}

function mismatch(
  tree: Tree,
  { path, matrix, rows, columns }: { path: string; matrix: Matrix; rows: number; columns: number },
): BadInput {
  return new BadInput(
    'SHAPE_MISMATCH',
    `${tree.place}:${path}`,
    `it is ${matrix.rows} x ${matrix.columns}, obs and var ask for ${rows} x ${columns}`,
    'The stored parts contradict each other: write the file again from the program that made it',
  )
}

function noMatrix(tree: Tree, name: string, known: string[]): BadInput {
  return new BadInput(
    'MATRIX_MISSING',
    tree.place,
    `there is no '${name}'`,
    `It has: ${known.join(', ') || 'no matrix at all'}`,
  )
}
