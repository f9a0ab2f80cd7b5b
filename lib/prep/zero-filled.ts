/**
 * What must be said of genes that a model of counts works over and a file has not: they count as zero in every cell, and a model cannot tell
 * "not measured" from "not there" (scPDAC only warns of a number; scArches from 20 % on).
 */
import type { ErrorReport } from '../job/errors.ts'
import type { GenePlan } from '../knowledge/gene-plan.ts'
import { shownNames } from './shown-names.ts'

/**
 * @param plan of the file; below its least number of genes `planGenes` has refused already
 * @param options.whose genes they are: 'the model', 'the panel'
 * @returns GENES_ZERO_FILLED with number, share and the first names; nothing where every gene is there
 */
export function zeroFilledNotices(
  { missing, modelGenes }: Pick<GenePlan, 'missing' | 'modelGenes'>,
  { place, whose }: { place: string; whose: string },
): ErrorReport[] {
  if (missing.length === 0) return []
  const share = ((100 * missing.length) / modelGenes).toFixed(1)
  const problem = `${missing.length} of the ${modelGenes} genes of ${whose} (${share} %) are not in the file and count as zero in every cell: ${shownNames(missing)}`
  const remedy = 'Use a file of all genes measured: cells look as if these genes were silent'
  return [{ code: 'GENES_ZERO_FILLED', place, problem, remedy }]
}
