/**
 * MapGenes of `annotate`: genes of the query onto genes of each model. Of several models one that the query has too few genes of is left
 * out, as SpatialCore's annotate_celltypist does it, and the report says so.
 */
import { BadInput, type ErrorReport, isCoded } from '../../job/errors.ts'
import {
  type AnnotateSettings,
  usualOverlapPercent,
  wantsSeveralModels,
} from '../../job/settings/annotate.ts'
import { type GenePlan, planGenes } from '../../knowledge/gene-plan.ts'
import type { Species } from '../../knowledge/genes.ts'
import { loadLinearCard } from '../../models/bundle.ts'
import type { ModelCard } from '../../models/linear-model.ts'
import type { MapRequest } from '../lambda-parts.ts'
import { modelPlan } from '../parts/gene-maps.ts'
import type { GeneMaps } from '../workflow.ts'

type Request = MapRequest<AnnotateSettings>

/** One model and what the query has of it; null where that is nothing. */
interface Overlap {
  card: ModelCard
  plan: GenePlan | null
}

/** @throws BadInput MODEL_KIND, GENES_NO_OVERLAP, GENES_TOO_FEW, GENE_COLUMN_MISSING, MODEL_OVERLAP */
export async function annotateGenes(request: Request) {
  const { settings, models, modelIds } = request
  const cards = await Promise.all(modelIds.map((id) => loadLinearCard(models, id)))
  const overlaps = wantsSeveralModels(settings)
    ? await each(cards, request)
    : [await alone(cards[0]!, request)]
  const kept = overlaps.filter((one) => !isTooLittle(one, settings))
  if (kept.length === 0) throw noneLeft(overlaps, request)
  const skipped = overlaps.filter((one) => !kept.includes(one)).map((one) => skippedNotice(one, settings))
  const plans: GeneMaps['plans'] = {}
  const used = kept.map(({ card: { id, scaledOver }, plan }, index) => {
    const name = modelPlan(index)
    plans[name] = plan!
    return { id, plan: name, ...(scaledOver !== undefined && { scaledOver }) }
  })
  const notices = [...skipped, ...Object.values(plans).flatMap((plan) => plan.notices)]
  return { maps: { genes: null, plans, models: used } satisfies GeneMaps, notices }
}

async function alone(card: ModelCard, request: Request): Promise<Overlap> {
  const plan = await planOf(card, { request, minGenes: request.settings.min_genes })
  return { card, plan }
}

async function each(cards: readonly ModelCard[], request: Request): Promise<Overlap[]> {
  const overlaps: Overlap[] = []
  for (const card of cards) {
    try {
      const plan = await planOf(card, { request, minGenes: 1, whose: `the model "${card.name}"` })
      overlaps.push({ card, plan })
    } catch (error) {
      if (!isCoded(error) || error.code !== 'GENES_NO_OVERLAP') throw error
      overlaps.push({ card, plan: null })
    }
  }
  return overlaps
}

function planOf(
  card: ModelCard,
  { request, minGenes, whose }: { request: Request; minGenes: number; whose?: string },
): Promise<GenePlan> {
  const { settings } = request
  const { candidates } = queryOf(request)
  return planGenes({
    place: placeOf(request),
    query: { candidates, ...(settings.gene_column !== undefined && { chosen: settings.gene_column }) },
    model: { genes: card.genes, type: card.geneIds, species: speciesOf(card.organism) },
    ...(settings.organism !== undefined && { organism: settings.organism }),
    ...(whose !== undefined && { whose }),
    matching: settings.gene_matching,
    minGeneFraction: settings.min_gene_fraction,
    minGenes,
  })
}

function queryOf({ inputs }: Request): Request['inputs'][number] {
  const [query] = inputs
  if (query === undefined) throw new Error('annotate without a query')
  return query
}

function placeOf(request: Request): string {
  const { facts } = queryOf(request)
  return `${facts.inspection.place}:/${facts.counts.matrix === 'raw/X' ? 'raw/var' : 'var'}`
}

/** Models say their organism in words; of others than these two there is no table of genes. */
function speciesOf(organism: string): Species | null {
  return organism === 'Homo sapiens' || organism === 'Mus musculus' ? organism : null
}

/** How many of a model's genes are needed, by percentage and by number; of a small model half of them will do. */
function neededOf({ card }: Overlap, settings: AnnotateSettings): number {
  const usual = wantsSeveralModels(settings) ? usualOverlapPercent : 0
  const { min_gene_overlap_pct: percent = usual, min_genes } = settings
  const { length } = card.genes
  return Math.max((percent * length) / 100, Math.min(min_genes, Math.ceil(length / 2)))
}

function isTooLittle(overlap: Overlap, settings: AnnotateSettings): boolean {
  return (overlap.plan?.found ?? 0) < neededOf(overlap, settings)
}

function told({ card, plan }: Overlap): string {
  const { length } = card.genes
  const found = plan?.found ?? 0
  return `${found} of the ${length} genes of "${card.name}" (${((100 * found) / length).toFixed(1)} %)`
}

function skippedNotice(overlap: Overlap, settings: AnnotateSettings): ErrorReport {
  const needed = Math.ceil(neededOf(overlap, settings))
  return {
    code: 'MODEL_SKIPPED',
    place: `model: ${overlap.card.name}`,
    problem: `the query has ${told(overlap)}, and ${needed} are needed: it labels no cell`,
    remedy: 'Leave the model out, or lower min_gene_overlap_pct or min_genes',
  }
}

function noneLeft(overlaps: readonly Overlap[], request: Request): BadInput {
  const problem = `no model has enough of its genes in the query, which has ${overlaps.map(told).join('; ')}`
  const remedy = 'Take models of this panel and organism, or lower min_gene_overlap_pct or min_genes'
  return new BadInput('MODEL_OVERLAP', placeOf(request), problem, remedy)
}
