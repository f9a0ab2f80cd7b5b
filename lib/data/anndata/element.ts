/**
 * Whatever else an AnnData file holds (uns, obsm, varm, obsp), as plain data. Sparse matrices are opened, not read. What
 * cannot be understood is said so in its place, and stays in the file.
 *
 * Trap: groups can hold themselves through hard links, so elements and bytes are counted over the whole walk.
 */
import { BadInput } from '../../job/errors.ts'
import type { Column, Matrix, Table } from '../cells.ts'
import type {
  ArrayNode,
  ArrayValues,
  ElementType,
  GroupNode,
  NumberArray,
  NumberType,
  Tree,
} from '../tree.ts'
import { encodingOf } from './attributes.ts'
import { isNumbers, isText, readColumn, requireNode } from './column.ts'
import { openMatrix } from './matrix.ts'
import { readTable } from './table.ts'

export type Element =
  /** row-major; booleans are 0 and 1; a scalar has the shape [] */
  | { kind: 'array'; type: NumberType | 'boolean'; shape: number[]; values: NumberArray }
  | { kind: 'text'; shape: number[]; values: string[] }
  /** a record array: one flat list of values a field */
  | { kind: 'records'; shape: number[]; fields: Map<string, Element> }
  | { kind: 'table'; table: Table }
  | { kind: 'column'; column: Column }
  | { kind: 'matrix'; matrix: Matrix }
  | { kind: 'dict'; entries: Map<string, Element> }
  | { kind: 'null' }
  | { kind: 'unread'; reason: string }

export interface ElementLimits {
  elements: number
  values: number
}

const elementLimits: ElementLimits = { elements: 100_000, values: 2 ** 28 }

/** @throws BadInput ELEMENT_MISSING, ELEMENT_TOO_LARGE, and what is damaged */
export async function readElement(
  tree: Tree,
  path: string,
  limits: ElementLimits = elementLimits,
): Promise<Element> {
  const left = { ...limits }
  return walk({ tree, left }, path)
}

/** The names and elements of obsm, varm or obsp; in anndata 0.6 and before that is one dataset with a member each. */
export async function readMapping(tree: Tree, path: string): Promise<Map<string, Element>> {
  const element = await readElement(tree, path)
  if (element.kind === 'dict') return element.entries
  if (element.kind === 'records') return element.fields
  throw new BadInput(
    'ELEMENT_DAMAGED',
    `${tree.place}:${path}`,
    'this is no collection of arrays',
    'Write the file again with a current anndata',
  )
}

interface Walk {
  tree: Tree
  left: ElementLimits
}

async function walk(at: Walk, path: string): Promise<Element> {
  if (at.left.elements-- <= 0) throw tooLarge(at, path, 'it holds too many elements, or holds itself')
  const node = await requireNode(at.tree, path)
  try {
    return node.kind === 'array' ? await readArray(at, node) : await readGroup(at, node)
  } catch (error) {
    if (error instanceof BadInput && error.code === 'ELEMENT_UNSUPPORTED')
      return { kind: 'unread', reason: error.problem }
    throw error
  }
}

async function readGroup(at: Walk, node: GroupNode): Promise<Element> {
  const { tree } = at
  const encoding = encodingOf(node)
  if (encoding === 'csr_matrix' || encoding === 'csc_matrix')
    return { kind: 'matrix', matrix: await openMatrix(tree, node.path) }
  if (encoding === 'dataframe') return { kind: 'table', table: await readTable(tree, node.path) }
  if (encoding === 'categorical' || encoding.startsWith('nullable-')) {
    return { kind: 'column', column: await readColumn(tree, node.path) }
  }
  const entries = new Map<string, Element>()
  for (const name of node.children)
    entries.set(name, await walk(at, node.path === '/' ? `/${name}` : `${node.path}/${name}`))
  return { kind: 'dict', entries }
}

async function readArray(at: Walk, node: ArrayNode): Promise<Element> {
  if (node.shape === null) return { kind: 'null' }
  const count = node.shape.reduce((product, extent) => product * extent, 1)
  at.left.values -= count
  if (at.left.values < 0)
    throw tooLarge(
      at,
      node.path,
      `it brings this part of the file to more than ${elementLimits.values} values`,
    )
  const values = await at.tree.read(node.path)
  // anndata before 0.7 wrote a lone text as a list of one, of fixed room; it is a lone text again when read
  const isLone =
    node.element.kind === 'string' && node.element.isFixed && count === 1 && encodingOf(node) === ''
  return elementOf(node.element, { shape: isLone ? [] : [...node.shape], values })
}

function elementOf(
  element: ElementType,
  { shape, values }: { shape: number[]; values: ArrayValues },
): Element {
  if (isText(values)) return { kind: 'text', shape, values }
  if (isNumbers(values)) {
    const type =
      element.kind === 'boolean'
        ? 'boolean'
        : element.kind === 'number' || element.kind === 'enum'
          ? element.type
          : undefined
    if (type === undefined) return { kind: 'unread', reason: element.kind }
    return { kind: 'array', type: type === 'float16' ? 'float32' : type, shape, values }
  }
  const fields = new Map<string, Element>()
  for (const member of element.kind === 'compound' ? element.members : []) {
    const stored = values.members.get(member.name)
    if (stored === undefined) fields.set(member.name, { kind: 'unread', reason: member.element.kind })
    else
      fields.set(
        member.name,
        elementOf(member.element, { shape: [...shape, ...member.shape], values: stored }),
      )
  }
  return { kind: 'records', shape, fields }
}

function tooLarge(at: Walk, path: string, problem: string): BadInput {
  return new BadInput(
    'ELEMENT_TOO_LARGE',
    `${at.tree.place}:${path}`,
    problem,
    'Remove what the analysis does not need: `del adata.uns[key]`',
  )
}
