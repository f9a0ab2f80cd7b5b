/**
 * Z^T Z (genes x genes, float64) of standardised rows, formed in one pass: over the pairs of entries of each row, which costs the square of
 * what a row stores, or by onnxruntime on rows made dense, a thousand at a time, which costs the square of the genes but on all cores.
 */
import { setImmediate } from 'node:timers/promises'
import type { MatrixProducts } from '../graph/matrix-products.ts'
import type { Points } from './points.ts'
import {
  columnsOf,
  type RowBlock,
  type SparseRows,
  type Standardisation,
  standardisedBlocks,
} from './standardised-rows.ts'

export interface FormingOptions {
  products: MatrixProducts
  signal?: AbortSignal
  /** share of the rows that is taken in, from 0 to 1 */
  onProgress?: (done: number) => void
}

const denseRows = 1024

/**
 * Sum over the rows of all pairs of their entries. Gene by gene within a block, so that one row of the result and the block stay in
 * the processor's cache; each pair is taken once, whichever of the two comes first in its row, and the halves are added at the end.
 */
export async function formByPairs(
  input: SparseRows | Points,
  standard: Standardisation,
  { signal, onProgress }: FormingOptions,
): Promise<Float64Array> {
  const genes = columnsOf(input)
  const formed = new Float64Array(genes * genes)
  for (const block of standardisedBlocks(input, standard)) {
    const { indptr, indices, values } = block
    const { starts, entries, ends } = byGene(block, genes)
    for (let gene = 0; gene < genes; gene++) {
      const into = formed.subarray(gene * genes, (gene + 1) * genes)
      for (let at = starts[gene]!; at < starts[gene + 1]!; at++) {
        const entry = entries[at]!
        const value = values[entry]!
        const end = ends[at]!
        for (let other = entry; other < end; other++) into[indices[other]!]! += value * values[other]!
      }
    }
    onProgress?.((block.start + indptr.length - 1) / input.rows)
    await setImmediate()
    signal?.throwIfAborted()
  }
  for (let i = 0; i < genes; i++)
    for (let j = 0; j < i; j++) {
      const both = formed[i * genes + j]! + formed[j * genes + i]!
      formed[i * genes + j] = formed[j * genes + i] = both
    }
  return formed
}

/** Entries of a block sorted by gene, each with the end of its row. */
function byGene(
  { rows, indptr, indices }: RowBlock,
  genes: number,
): { starts: Int32Array; entries: Int32Array; ends: Int32Array } {
  const starts = new Int32Array(genes + 1)
  for (const gene of indices) starts[gene + 1]! += 1
  for (let gene = 0; gene < genes; gene++) starts[gene + 1]! += starts[gene]!
  const next = starts.slice(0, genes)
  const entries = new Int32Array(indices.length)
  const ends = new Int32Array(indices.length)
  for (let row = 0; row < rows; row++) {
    const end = indptr[row + 1]!
    for (let entry = indptr[row]!; entry < end; entry++) {
      const place = next[indices[entry]!]!++
      entries[place] = entry
      ends[place] = end
    }
  }
  return { starts, entries, ends }
}

export async function formByDenseBlocks(
  input: SparseRows | Points,
  options: FormingOptions & { standard: Standardisation; centre: Float64Array },
): Promise<Float64Array> {
  const { standard, centre, products, signal, onProgress } = options
  const genes = columnsOf(input)
  const formed = new Float64Array(genes * genes)
  const gathered = new Float64Array(denseRows * genes)
  const add = async (rows: number): Promise<void> => {
    const table = { rows, columns: genes, values: gathered.subarray(0, rows * genes) }
    const { values } = await products.transposedProduct(table, table)
    for (let i = 0; i < formed.length; i++) formed[i]! += values[i]!
    await setImmediate()
    signal?.throwIfAborted()
  }
  let filled = 0
  for (const { start, rows, indptr, indices, values } of standardisedBlocks(input, standard))
    for (let row = 0; row < rows; row++) {
      const at = filled * genes
      for (let gene = 0; gene < genes; gene++) gathered[at + gene] = -centre[gene]!
      for (let entry = indptr[row]!; entry < indptr[row + 1]!; entry++)
        gathered[at + indices[entry]!]! += values[entry]!
      if (++filled < denseRows) continue
      await add(filled)
      filled = 0
      onProgress?.((start + row + 1) / input.rows)
    }
  if (filled > 0) await add(filled)
  return formed
}
