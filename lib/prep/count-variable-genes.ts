/**
 * Highly variable genes of raw counts as scanpy's `flavor='seurat_v3'` and `'seurat_v3_paper'` choose them with a batch key: variances that
 * stand out from genes of like mean, ranked in every batch by itself, then over batches.
 *
 * Upstream stops at batches of few cells ("reciprocal condition number", "near singularities"). Here a batch of fewer than 20 cells takes no
 * part, and is named; genes that vary nowhere are never chosen, where upstream fills up with them.
 */
import type { RowSlab } from '../data/cells.ts'
import type { ErrorReport } from '../job/errors.ts'
import { type BatchCodes, type BatchMoments, batchMoments, joined, momentsOf } from './batch-moments.ts'
import { notWhole } from './count-values.ts'
import { rankGenes } from './gene-ranks.ts'
import { shownNames } from './shown-names.ts'
import { standardisedVariances } from './standardised-variances.ts'

export interface CountVariableGenes {
  /** numbers of the chosen genes, best first; `top`, or fewer where fewer vary */
  ranked: Int32Array
  /** per gene, over all cells; variances with n - 1 */
  means: Float64Array
  variances: Float64Array
  /** per gene the standardised variance, mean over the batches that took part */
  variancesNorm: Float64Array
  /** per gene the median rank, NaN where it is among the first in no batch; and in how many it is */
  ranks: Float64Array
  batchesWith: Int32Array
  /** per gene the cells that have it */
  detected: Int32Array
  /** numbers of the batches that took part; [0] where all cells are one */
  batchesUsed: number[]
  notices: ErrorReport[]
}

export interface CountVariableOptions {
  /** for messages: the matrix */
  place: string
  /** genes of the rows */
  columns: number
  /** of each cell its batch; null where all are one */
  batches: BatchCodes | null
  /** genes to choose: 2000 unless told */
  top?: number
  /** `seurat_v3` unless told: the median rank decides, then the number of batches; `seurat_v3_paper` the other way round */
  flavour?: 'seurat_v3' | 'seurat_v3_paper'
  /** share of the genes that each local fit of the curve looks at: 0.3 unless told */
  span?: number
  /** batches of fewer cells take no part: 20 unless told, never fewer than 2 */
  minBatchCells?: number
  /** 2 GiB unless told */
  mostBytes?: number
}

/**
 * Memory: 24 bytes for each gene of each batch, besides one slab.
 * @param slabs gives all rows (raw counts, cells x genes, `start` counted over all cells), twice, in the same order
 * @throws BadInput VALUES_NOT_COUNTS at a negative, NaN or infinite value; BATCHES_TOO_MANY. RangeError for what does not fit together
 * Notices: COUNTS_NOT_WHOLE, VARIABLE_GENES_BATCHES_LEFT_OUT, VARIABLE_GENES_BATCHES_JOINED, VARIABLE_GENES_CELLS_LEFT_OUT,
 * VARIABLE_GENES_TREND_UNSURE, VARIABLE_GENES_FEW, VARIABLE_GENES_NONE
 */
export async function selectCountVariableGenes(
  slabs: () => AsyncIterable<RowSlab>,
  options: CountVariableOptions,
): Promise<CountVariableGenes> {
  const { place, columns, top = 2000, flavour = 'seurat_v3', span = 0.3, mostBytes = 2 ** 31 } = options
  if (!Number.isInteger(top) || top < 1) throw new RangeError(`${top} genes to choose`)
  const room = Math.floor((mostBytes * 2) / 3)
  const found = await batchMoments(slabs(), { ...options, mostBytes: room })
  const all = joined(found)
  const plan = planBatches(found, options)
  const isOne = plan.used === null
  const batches = isOne ? null : options.batches
  const used = plan.used ?? [0]
  const overall = momentsOf(all, 0)
  const moments = isOne ? all : found
  const { values, unsure } = await standardisedVariances(slabs(), { moments, batches, used, span })
  const variancesNorm = new Float64Array(columns)
  for (const batch of used)
    for (let gene = 0; gene < columns; gene++)
      variancesNorm[gene]! += values[batch * columns + gene]! / used.length
  const { ranked, ranks, batches: batchesWith } = rankGenes(values, { genes: columns, used, top, flavour })
  const notices = [
    ...(found.broken.entries > 0 ? [notWhole(found.broken, place)] : []),
    ...plan.notices,
    ...trendNotices(unsure, { place, names: batches?.names }),
    ...shortNotices(ranked.length, { place, top, columns }),
  ]
  return {
    ranked,
    ...overall,
    variancesNorm,
    ranks,
    batchesWith,
    detected: found.detected,
    batchesUsed: used,
    notices,
  }
}

interface BatchPlan {
  /** null: all cells are one batch */
  used: number[] | null
  notices: ErrorReport[]
}

function planBatches(moments: BatchMoments, options: CountVariableOptions): BatchPlan {
  const { place, batches, minBatchCells = 20 } = options
  if (batches === null) return { used: null, notices: [] }
  const least = Math.max(2, minBatchCells)
  const numbers = [...batches.names.keys()].filter((batch) => moments.cells[batch]! > 0)
  const used = numbers.filter((batch) => moments.cells[batch]! >= least && varies(moments, batch))
  const notices: ErrorReport[] = []
  const say = (code: string, problem: string, remedy: string): void => {
    notices.push({ code, place, problem, remedy })
  }
  if (used.length === 0) {
    const problem = `no batch has ${least} cells and a gene that varies among them: genes were chosen as if all cells were one batch`
    say('VARIABLE_GENES_BATCHES_JOINED', problem, 'Name a batch column with fewer values')
    return { used: null, notices }
  }
  const left = numbers.filter((batch) => !used.includes(batch)).map((batch) => batches.names[batch]!)
  if (left.length > 0)
    say(
      'VARIABLE_GENES_BATCHES_LEFT_OUT',
      `${left.length} of ${numbers.length} batches have fewer than ${least} cells, or none of their genes varies, and take no part in choosing genes: ${shownNames(left)}`,
      'Nothing to do, unless genes of these batches matter: then join them to others',
    )
  const none = moments.cells[batches.names.length]!
  if (none > 0)
    say(
      'VARIABLE_GENES_CELLS_LEFT_OUT',
      `${none} cells have no batch and take no part in choosing genes`,
      'Give every cell its batch',
    )
  return { used, notices }
}

function varies(moments: BatchMoments, batch: number): boolean {
  return momentsOf(moments, batch).variances.some((variance) => variance > 0)
}

function trendNotices(
  unsure: readonly number[],
  { place, names }: { place: string; names: readonly string[] | undefined },
): ErrorReport[] {
  if (unsure.length === 0) return []
  const where = names === undefined ? 'among the cells' : shownNames(unsure.map((batch) => names[batch]!))
  const problem = `too few genes of different means vary for a sure trend of variance on mean, so the choice of genes rests on less than it should: ${where}`
  const remedy = 'Give more cells a batch, or leave out genes that hardly any cell has'
  return [{ code: 'VARIABLE_GENES_TREND_UNSURE', place, problem, remedy }]
}

function shortNotices(
  count: number,
  { place, top, columns }: { place: string; top: number; columns: number },
): ErrorReport[] {
  if (count === 0) {
    const problem = 'no gene varies among the cells'
    return [{ code: 'VARIABLE_GENES_NONE', place, problem, remedy: 'Give more cells, or more genes' }]
  }
  if (count >= Math.min(top, columns)) return []
  const problem = `of ${top} genes to choose only ${count} vary among the cells, and these were taken`
  return [{ code: 'VARIABLE_GENES_FEW', place, problem, remedy: 'Nothing to do' }]
}
