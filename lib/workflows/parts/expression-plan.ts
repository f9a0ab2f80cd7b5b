/**
 * Which expression a job wants of its model, checked against what the model knows before anything is trained or computed: genes by their exact names,
 * batches (those that surgery is to learn among them), and the size of the file that comes of it.
 */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import type { ExpressionSettings } from '../../job/settings/expression.ts'
import { nearestFirst, shownName, shownNames } from '../../prep/shown-names.ts'

/** What Prepare leaves for Embed and Publish. */
export interface ExpressionPlan {
  /** first cell that is wanted: those before it are of an atlas that is not written */
  first: number
  /** cells that are written, and genes of each */
  cells: number
  width: number
  /** numbers of genes in the model, rising; null for all */
  genes: number[] | null
  /** names of batches; null for each cell's own */
  batches: string[] | null
}

/** Bytes of the largest file. */
export const mostExpressionBytes = 64 * 2 ** 30

export interface ExpressionRequest {
  /** of the model */
  genes: readonly string[]
  /** that the model knows, or will know */
  batches: readonly string[]
  first: number
  /** of first and all after it */
  cells: number
}

/**
 * @returns null where the job does not ask for it; a gene may be several columns of a model that names it twice
 * @throws BadInput TRANSFORM_BATCH_UNKNOWN; GENE_UNKNOWN where none of the genes is one of the model; EXPRESSION_TOO_LARGE
 */
export function planExpression(
  settings: ExpressionSettings,
  { genes, batches, first, cells }: ExpressionRequest,
): { plan: ExpressionPlan | null; notices: ErrorReport[] } {
  if (!settings.normalized_expression) return { plan: null, notices: [] }
  const { transform_batch: asked, expression_genes: wanted } = settings
  const names = asked === undefined ? null : [asked].flat()
  if (names !== null) batchNumbers(names, batches)
  const chosen = wanted === undefined ? null : numbersOf(wanted, genes)
  const width = chosen?.numbers.length ?? genes.length
  refuseLarge({ cells, width })
  return {
    plan: { first, cells, width, genes: chosen?.numbers ?? null, batches: names },
    notices: chosen?.notices ?? [],
  }
}

/** @throws BadInput TRANSFORM_BATCH_UNKNOWN */
export function batchNumbers(names: readonly string[], known: readonly string[]): number[] {
  const numbers = new Map<string, number>()
  // an average batch follows the others, and may be called as one of them
  for (const [number, name] of known.entries()) if (!numbers.has(name)) numbers.set(name, number)
  const unknown = names.filter((name) => !numbers.has(name))
  if (unknown.length > 0)
    throw new BadInput(
      'TRANSFORM_BATCH_UNKNOWN',
      'transform_batch',
      `the model does not know ${shownNames(unknown)}; its batches are ${shownNames(nearestFirst(unknown[0]!, known), { most: 30 })}`,
      'Name batches that the model knows, or leave out transform_batch',
    )
  return names.map((name) => numbers.get(name)!)
}

function numbersOf(
  wanted: readonly string[],
  genes: readonly string[],
): { numbers: number[]; notices: ErrorReport[] } {
  const known = new Set(genes)
  const asked = new Set(wanted)
  const unknown = wanted.filter((gene) => !known.has(gene))
  const near = unknown.length === 0 ? [] : nearestFirst(unknown[0]!, genes)
  const problem = `the model has no ${unknown.length === 1 ? 'gene' : 'genes'} of the name ${shownNames(unknown)}`
  const like =
    near.length === 0 ? '' : `; most like ${shownName(unknown[0]!)}: ${shownNames(near.slice(0, 3))}`
  const remedy = 'Write genes as the model does, case included: genes.csv of its fit-reference lists them'
  if (unknown.length === wanted.length)
    throw new BadInput('GENE_UNKNOWN', 'expression_genes', `${problem}${like}`, remedy)
  const told = { code: 'GENE_UNKNOWN', place: 'expression_genes', problem: `${problem}${like}`, remedy }
  return {
    numbers: genes.flatMap((gene, number) => (asked.has(gene) ? [number] : [])),
    notices: unknown.length === 0 ? [] : [told],
  }
}

function refuseLarge({ cells, width }: { cells: number; width: number }): void {
  const bytes = 4 * cells * width
  if (bytes <= mostExpressionBytes) return
  const gib = (of: number) => Math.ceil(of / 2 ** 30)
  throw new BadInput(
    'EXPRESSION_TOO_LARGE',
    'normalized_expression',
    `${cells} cells x ${width} genes take ${gib(bytes)} GiB, and ${gib(mostExpressionBytes)} are the most`,
    `Name the genes that you look at in expression_genes: ${Math.max(1, Math.floor(mostExpressionBytes / 4 / cells))} or fewer`,
  )
}
