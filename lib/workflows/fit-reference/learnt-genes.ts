/**
 * Which genes a new reference is learnt from: all that MapGenes lists, or those of them that vary most among the cells of each batch. Variable ones are
 * found in two passes over the counts and keep the order that they have in the file.
 */
import type { Matrix, RowSlab } from '../../data/cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { selectCountVariableGenes } from '../../prep/count-variable-genes.ts'
import type { CodedCategories } from '../parts/category-column.ts'
import { planOf } from '../parts/gene-maps.ts'
import type { FitReferenceContext } from './context.ts'

export interface ChosenGenes {
  genes: string[]
  /** of each column of the matrix its gene, or -1 */
  target: Int32Array
  notices: ErrorReport[]
}

/** @throws BadInput VARIABLE_GENES_NONE */
export async function chooseGenes(
  context: FitReferenceContext,
  { matrix, batch, place }: { matrix: Matrix; batch: CodedCategories; place: string },
): Promise<ChosenGenes> {
  const { settings } = context.road
  const maps = await context.geneMaps()
  const all = maps.genes!
  const target = Int32Array.from(planOf(maps, 'atlas').target)
  if (settings.genes === 'all' || settings.gene_panel !== undefined)
    return { genes: all, target, notices: [] }
  let pass = 0
  async function* aligned(): AsyncGenerator<RowSlab> {
    const before = pass++ * matrix.rows
    for await (const slab of matrix.slabs({ transient: true })) {
      yield alignRows(slab, { target, genes: all.length, values: 'counts' })
      context.progress(before + slab.start + slab.rows, 2 * matrix.rows, 'cells', 'choosing variable genes')
    }
  }
  const found = await selectCountVariableGenes(aligned, {
    place: `${place}:${matrix.name}`,
    columns: all.length,
    batches: batch.categories.length > 1 ? { codes: batch.codes, names: batch.categories } : null,
    top: settings.n_top_genes,
  })
  if (found.ranked.length < 2)
    throw new BadInput(
      'VARIABLE_GENES_NONE',
      `${place}:${matrix.name}`,
      'no genes vary among the cells',
      'Give more cells, set genes: all, or name a gene_panel',
    )
  const kept = Int32Array.from(found.ranked).sort()
  const placeOf = new Int32Array(all.length).fill(-1)
  for (const [at, gene] of kept.entries()) placeOf[gene] = at
  return {
    genes: Array.from(kept, (gene) => all[gene]!),
    target: target.map((gene) => (gene < 0 ? -1 : placeOf[gene]!)),
    notices: found.notices,
  }
}
