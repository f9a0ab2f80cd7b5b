/**
 * Genes that set each group of cells apart from the rest, as scanpy 1.9's rank_genes_groups with Wilcoxon's rank sum: mid-ranks over all
 * cells that have a group, z without correction for ties unless told, two-sided p, Benjamini and Hochberg over the genes.
 *
 * Exact without a dense matrix: the zeros of a gene share one mid-rank, so only its other entries are sorted. The fold change is
 * scanpy's, of mean LOGS taken back, with 1e-9 added: it is not the ratio of mean counts. Equal z stay in the order of genes (scanpy
 * turns them round). Without the correction, genes that are mostly zero get z that are too small: that is scanpy's default.
 */
import type { ErrorReport } from '../job/errors.ts'
import { adjustPValues } from './adjusted-p-values.ts'
import { cellsOfLabels, checkLabelled, type LabelledExpression } from './expression.ts'
import { geneColumns } from './gene-columns.ts'
import { normalSurvival } from './normal-tail.ts'
import { type RankSums, rankSums } from './rank-sums.ts'

export interface RankedGroup {
  status: 'assessed'
  label: string
  cells: number
  /** genes by descending z, those without one (values that are not finite) last */
  order: Int32Array
  /** z, p, adjusted p, log2 fold change and means in the unit of the values: one a gene, in the order of columns */
  scores: Float64Array
  pValues: Float64Array
  adjusted: Float64Array
  foldChanges: Float64Array
  meanInside: Float64Array
  meanOutside: Float64Array
}

export interface UnrankedGroup {
  status: 'not-assessed'
  label: string
  cells: number
  reason: string
}

export interface RankedGenes {
  /** one a label, in the order of labels */
  groups: (RankedGroup | UnrankedGroup)[]
  notices: ErrorReport[]
}

export interface RankOptions {
  /** for messages: where the labels stand, 'obs/cell_type' */
  place: string
  /** false unless told, as in scanpy */
  tieCorrection?: boolean
  /** cells that a group, and the rest, take: 2 unless told, as in scanpy (which refuses all where one has fewer) */
  leastCells?: number
  /** entries turned at once */
  blockEntries?: number
}

/** Cells of code -1 take no part. @throws RangeError where the parts of `cells` do not fit each other */
export function rankGenes(cells: LabelledExpression, options: RankOptions): RankedGenes {
  const { tieCorrection = false, leastCells = 2, blockEntries, place } = options
  checkLabelled(cells)
  const { expression, codes, labels } = cells
  const sizes = Int32Array.from(cellsOfLabels(cells), (own) => own.length)
  const all = sizes.reduce((sum, size) => sum + size, 0)
  const groups = labels.map((label, group) =>
    emptyGroup({ label, cells: sizes[group]!, all, leastCells }, expression.columns),
  )
  const strange: number[] = []
  const sums: RankSums = {
    ranks: new Float64Array(labels.length),
    values: new Float64Array(labels.length),
    ties: 0,
    isFinite: true,
  }
  const turned = blockEntries === undefined ? {} : { entries: blockEntries }
  for (const column of geneColumns(expression, codes, turned)) {
    rankSums(column, { sizes, all, into: sums })
    if (!sums.isFinite) {
      strange.push(column.gene)
      continue
    }
    const total = sums.values.reduce((sum, value) => sum + value, 0)
    for (const [group, ranked] of groups.entries())
      if (ranked.status === 'assessed')
        fillGene(ranked, { gene: column.gene, group, sums, total, all, tieCorrection })
  }
  for (const group of groups) if (group.status === 'assessed') finish(group)
  return {
    groups,
    notices: [...noticeOfUnranked(groups, place), ...noticeOfStrange(strange, { cells, place })],
  }
}

function emptyGroup(
  { label, cells, all, leastCells }: { label: string; cells: number; all: number; leastCells: number },
  genes: number,
): RankedGroup | UnrankedGroup {
  const least = Math.max(1, leastCells)
  if (cells < least) return { status: 'not-assessed', label, cells, reason: `fewer than ${least} cells` }
  if (all - cells < least)
    return { status: 'not-assessed', label, cells, reason: `fewer than ${least} other cells` }
  return {
    status: 'assessed',
    label,
    cells,
    order: new Int32Array(genes),
    scores: new Float64Array(genes).fill(Number.NaN),
    pValues: new Float64Array(genes).fill(Number.NaN),
    adjusted: new Float64Array(genes),
    foldChanges: new Float64Array(genes).fill(Number.NaN),
    meanInside: new Float64Array(genes).fill(Number.NaN),
    meanOutside: new Float64Array(genes).fill(Number.NaN),
  }
}

function fillGene(
  ranked: RankedGroup,
  {
    gene,
    group,
    sums,
    total,
    all,
    tieCorrection,
  }: {
    gene: number
    group: number
    sums: RankSums
    /** sum of the gene's values over all groups */
    total: number
    all: number
    tieCorrection: boolean
  },
): void {
  const inside = ranked.cells
  const outside = all - inside
  const meanInside = sums.values[group]! / inside
  const meanOutside = (total - sums.values[group]!) / outside
  const share = tieCorrection ? 1 - sums.ties / (all ** 3 - all) : 1
  const spread = Math.sqrt((share * inside * outside * (all + 1)) / 12)
  const lift = sums.ranks[group]! - (inside * (all + 1)) / 2
  const z = spread > 0 ? lift / spread : 0
  ranked.scores[gene] = z
  ranked.pValues[gene] = 2 * normalSurvival(Math.abs(z))
  ranked.meanInside[gene] = meanInside
  ranked.meanOutside[gene] = meanOutside
  ranked.foldChanges[gene] = Math.log2((Math.expm1(meanInside) + 1e-9) / (Math.expm1(meanOutside) + 1e-9))
}

function finish(group: RankedGroup): void {
  group.adjusted = adjustPValues(group.pValues)
  const key = group.scores.map((z) => (Number.isNaN(z) ? Number.NEGATIVE_INFINITY : z))
  group.order = Int32Array.from(key.keys()).sort((a, b) => key[b]! - key[a]! || a - b)
}

function noticeOfUnranked(groups: RankedGenes['groups'], place: string): ErrorReport[] {
  const without = groups.filter((group) => group.status === 'not-assessed' && group.cells > 0)
  if (without.length === 0) return []
  const named = without.slice(0, 5).map((group) => `${group.label} (${group.cells} cells)`)
  const more = without.length > 5 ? [`${without.length - 5} more`] : []
  return [
    {
      code: 'GROUPS_NOT_RANKED',
      place,
      problem: `genes could not be ranked for ${without.length} groups: ${[...named, ...more].join(', ')}`,
      remedy: 'A group, and the rest of the cells, need at least two cells each',
    },
  ]
}

function noticeOfStrange(
  strange: readonly number[],
  { cells, place }: { cells: LabelledExpression; place: string },
): ErrorReport[] {
  if (strange.length === 0) return []
  const named = strange.slice(0, 5).map((gene) => cells.genes[gene]!)
  const more = strange.length > 5 ? [`${strange.length - 5} more`] : []
  return [
    {
      code: 'GENES_NOT_FINITE',
      place,
      problem: `${strange.length} genes have values that are not finite and were not ranked: ${[...named, ...more].join(', ')}`,
      remedy: 'Look where these values come from; a log1p matrix has none',
    },
  ]
}
