/**
 * MapGenes of `annotate`: genes of the query onto genes of each model. Of several models one that the query has too few genes of is left
 * out, as SpatialCore's annotate_celltypist does it, and the report says so. A network is always alone (pin-models.ts).
 */
import { BadInput, type ErrorReport, isCoded } from '../../job/errors.ts'
import {
  type AnnotateSettings,
  usualOverlapPercent,
  wantsSeveralModels,
} from '../../job/settings/annotate.ts'
import { type GenePlan, planGenes } from '../../knowledge/gene-plan.ts'
import { speciesOf } from '../../knowledge/genes.ts'
import { loadCard } from '../../models/bundle.ts'
import type { ModelCard } from '../../models/linear-model.ts'
import type { NetworkCard } from '../../models/network-card.ts'
import { isLinearCard, type StoredCard } from '../../models/stored-model.ts'
import { zeroFilledNotices } from '../../prep/zero-filled.ts'
import type { MapRequest } from '../lambda-parts.ts'
import { requireCovariates } from '../parts/covariate-columns.ts'
import { modelPlan } from '../parts/gene-maps.ts'
import { requireCounts } from '../parts/require-counts.ts'
import type { GeneMaps } from '../workflow.ts'
import { labellingOf } from './labelling.ts'

type Request = MapRequest<AnnotateSettings>

/** One model and what the query has of it; null where that is nothing. */
interface Overlap<Card extends StoredCard = StoredCard> {
  card: Card
  plan: GenePlan | null
}

/** @throws BadInput MODEL_KIND, CLASSIFIER_UNKNOWN, GENES_NO_OVERLAP, GENES_TOO_FEW, GENE_COLUMN_MISSING, MODEL_OVERLAP; of networks also COUNTS_NEEDED, COVARIATE_COLUMN and what `labellingOf` throws */
export async function annotateGenes(request: Request) {
  const { settings, models, modelIds } = request
  const stored = await Promise.all(modelIds.map((id) => loadCard(models, id)))
  const [network] = stored.filter((card) => !isLinearCard(card))
  if (network !== undefined) return networkGenes(network, request)
  refuseForLinear(settings)
  const cards = stored.filter(isLinearCard)
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

/** A gene that the query lacks counts as zero, as the encoder was never given anything else. */
async function networkGenes(card: NetworkCard, request: Request) {
  const { settings } = request
  const { facts } = queryOf(request)
  labellingOf(card, settings)
  requireCounts(facts)
  requireCovariates(facts, card.setup)
  const overlap = { card, plan: await planOf(card, { request, minGenes: settings.min_genes }) }
  if (isTooLittle(overlap, settings)) throw noneLeft([overlap], request)
  const { plan } = overlap
  const zeros = zeroFilledNotices(plan, { place: placeOf(request), whose: 'the model' })
  const maps: GeneMaps = {
    genes: null,
    plans: { [modelPlan(0)]: plan },
    models: [{ id: card.id, plan: modelPlan(0), isNetwork: true }],
  }
  return { maps, notices: [...plan.notices, ...zeros] }
}

/** @throws BadInput CLASSIFIER_UNKNOWN, MODEL_KIND */
function refuseForLinear({ classifier, label_columns, mapping }: AnnotateSettings): void {
  const remedy =
    'Leave it out, or name a network (fit-reference makes one, import-model takes those of scvi-tools)'
  if (classifier !== 'default')
    throw new BadInput(
      'CLASSIFIER_UNKNOWN',
      'classifier',
      `a linear model has no classifier "${classifier}"`,
      remedy,
    )
  if (label_columns !== undefined)
    throw new BadInput('MODEL_KIND', 'label_columns', 'a linear model has one column of labels', remedy)
  if (mapping !== 'frozen')
    throw new BadInput('MODEL_KIND', 'mapping', 'there is no surgery on a linear model', remedy)
}

async function alone(card: ModelCard, request: Request): Promise<Overlap<ModelCard>> {
  const plan = await planOf(card, { request, minGenes: request.settings.min_genes })
  return { card, plan }
}

async function each(cards: readonly ModelCard[], request: Request): Promise<Overlap<ModelCard>[]> {
  const overlaps: Overlap<ModelCard>[] = []
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
  card: StoredCard,
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
