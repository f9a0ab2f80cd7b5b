/** The expression of a few genes, whole, for the report to colour cells by. */
import type { RowSlab } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'

export interface GeneColumns {
  genes: string[]
  /** genes x cells: all cells of the first gene, then of the second */
  values: Float32Array
  notices: ErrorReport[]
  add(slab: RowSlab): void
}

export function geneColumns(
  names: readonly string[],
  { wanted, cells, place }: { wanted: readonly string[]; cells: number; place: string },
): GeneColumns {
  const columnOf = new Int32Array(names.length).fill(-1)
  const genes: string[] = []
  const notices: ErrorReport[] = []
  for (const gene of new Set(wanted)) {
    const column = names.indexOf(gene)
    if (column >= 0) columnOf[column] = genes.push(gene) - 1
    else notices.push(notFound(gene, place))
  }
  const values = new Float32Array(genes.length * cells)
  return {
    genes,
    values,
    notices,
    add({ start, rows, indptr, indices, values: logs }) {
      if (genes.length === 0) return
      for (let row = 0; row < rows; row++) {
        for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
          const gene = columnOf[indices[i]!]!
          if (gene >= 0) values[gene * cells + start + row] = logs[i]!
        }
      }
    },
  }
}

function notFound(gene: string, place: string): ErrorReport {
  const problem = `gene ${printable(gene)} is not in the file and cannot be shown`
  return { code: 'GENE_NOT_FOUND', place, problem, remedy: 'Write it as the file does' }
}
