/**
 * A matrix of rows, gene by gene: the stored entries of each gene with the group of their cell. Genes are turned in blocks, each with a
 * pass over the rows, so that memory is bounded by the block and not by the matrix.
 */
import type { Expression } from './expression.ts'

export interface GeneColumn {
  gene: number
  /** entries that are not 0, in the order of cells; memory of the block, overwritten by the next */
  values: Float64Array
  /** the group of each one's cell */
  groups: Int32Array
}

const blockEntries = 4_000_000

/**
 * Every gene in order, those without entries too.
 * @param groups each cell's group; cells of -1 are left out
 * @param options.entries held at once, 4 million (48 MB) unless told; a gene that alone has more comes as a block of its own
 */
export function* geneColumns(
  expression: Expression,
  groups: Int32Array,
  { entries = blockEntries }: { entries?: number } = {},
): Generator<GeneColumn> {
  const sizes = entriesOfGenes(expression, groups)
  for (let from = 0; from < sizes.length; ) {
    let to = from
    let held = 0
    while (to < sizes.length && (to === from || held + sizes[to]! <= entries)) held += sizes[to++]!
    yield* block(expression, { groups, sizes, from, to, held })
    from = to
  }
}

function entriesOfGenes(
  { rows, columns, indptr, indices, values }: Expression,
  groups: Int32Array,
): Float64Array {
  const sizes = new Float64Array(columns)
  for (let row = 0; row < rows; row++) {
    if (groups[row]! < 0) continue
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) sizes[indices[i]!]! += Number(values[i] !== 0)
  }
  return sizes
}

function* block(
  { rows, indptr, indices, values }: Expression,
  {
    groups,
    sizes,
    from,
    to,
    held,
  }: { groups: Int32Array; sizes: Float64Array; from: number; to: number; held: number },
): Generator<GeneColumn> {
  const ends = new Float64Array(to - from)
  for (let gene = from + 1; gene < to; gene++) ends[gene - from] = ends[gene - from - 1]! + sizes[gene - 1]!
  const found = new Float64Array(held)
  const theirGroups = new Int32Array(held)
  for (let row = 0; row < rows; row++) {
    const group = groups[row]!
    if (group < 0) continue
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
      const gene = indices[i]!
      if (gene < from || gene >= to || values[i] === 0) continue
      const at = ends[gene - from]!++
      found[at] = values[i]!
      theirGroups[at] = group
    }
  }
  for (let gene = from; gene < to; gene++) {
    const end = ends[gene - from]!
    const start = end - sizes[gene]!
    yield { gene, values: found.subarray(start, end), groups: theirGroups.subarray(start, end) }
  }
}
