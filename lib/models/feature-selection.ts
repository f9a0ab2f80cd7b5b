/**
 * Genes that tell the types apart, chosen as CellTypist's `feature_selection` does: a first quick training by stochastic gradient
 * descent over all genes, then of each type the genes with the largest weights, in either direction; all types' together.
 *
 * Trap: the first training is descent whatever the second one is, and with another seed it chooses other genes.
 */
import { BadInput } from '../job/errors.ts'
import { fitSgd, type SgdTraining } from './celltypist-sgd.ts'
import { columnsOf, expressedGenes } from './gene-columns.ts'
import type { TrainingRows } from './standardised-cells.ts'

export interface FeatureSelection extends Omit<SgdTraining, 'standard'> {
  /** genes a type: 300 in CellTypist */
  top: number
}

/**
 * @param cells log1p-normalised, cells x genes
 * @returns numbers of the genes, rising; silent genes are never among them. Between equal weights the earlier gene is taken
 * @throws BadInput FEATURES_TOO_FEW where no more genes than `top` are expressed, and what `fitSgd` throws
 */
export async function selectFeatures(
  cells: TrainingRows,
  { top, ...training }: FeatureSelection,
): Promise<Int32Array> {
  const expressed = expressedGenes(cells)
  if (expressed.length <= top) {
    const place = training.place ?? 'training cells'
    const problem = `${expressed.length} genes are expressed, ${top} are wanted of each type: nothing is left to choose`
    throw new BadInput(
      'FEATURES_TOO_FEW',
      place,
      problem,
      'Lower "top_genes", or turn "feature_selection" off',
    )
  }
  const { weights, intercept } = await fitSgd(columnsOf(cells, expressed), training)
  const chosen = new Uint8Array(expressed.length)
  for (let head = 0; head < intercept.length; head++) {
    const sizes = weights.subarray(head * expressed.length, (head + 1) * expressed.length).map(Math.abs)
    const ranked = Uint32Array.from(sizes.keys()).sort((a, b) => sizes[b]! - sizes[a]! || a - b)
    for (const gene of ranked.subarray(0, top)) chosen[gene] = 1
  }
  return expressed.filter((_, gene) => chosen[gene] === 1)
}
