/** Everything that the steps before found out about the cells, gathered for Publish. */
import type { Table } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { wantsSeveralModels } from '../../job/settings/annotate.ts'
import type { GenePlan } from '../../knowledge/gene-plan.ts'
import { unassigned } from '../../labels/match.ts'
import { type Coded, countsOf } from '../parts/coded.ts'
import { planOf } from '../parts/gene-maps.ts'
import { noticesOf, readObs, stepRecords, type Timing, timingsOf } from '../parts/records.ts'
import type { LabelTerm } from '../workflow.ts'
import type { AnnotateContext } from './context.ts'
import type { Fitted } from './fit.ts'
import type { Labelled } from './label.ts'
import type { Prepared } from './prepare.ts'
import { type ScoringCard, scoringCards } from './scoring-models.ts'

/** A model, what the query has of its genes, and how many cells it was surest of. */
export interface ModelUse {
  card: ScoringCard
  plan: GenePlan
  cells: number
}

export interface Annotated {
  prepared: Prepared
  labelled: Labelled
  /** that scored the cells, one or several */
  models: ModelUse[]
  /** of the first model: by what names the genes of the query go */
  plan: GenePlan
  /** of the query */
  obs: Table
  labels: Coded
  /** before `min_confidence`; null where the job asks for none */
  raw: Coded | null
  /** Cell Ontology terms by label */
  terms: Readonly<Record<string, LabelTerm>>
  /** 0 sure, 1 unsure */
  uncertainty: Float32Array
  /** which model was surest of each cell; null where the job asks for one */
  byModel: Coded | null
  byCell: Coded | null
  clusters: Coded | null
  /** of its cluster, with the same label */
  majorityShare: Float32Array | null
  second: Coded | null
  margin: Float32Array | null
  /** by further label columns of a network's reference */
  others: { column: string; labels: Coded; uncertainty: Float32Array }[]
  /** what a network learnt of the query; null where it learnt nothing */
  adapted: Fitted | null
  fewCounts: Uint8Array | null
  totals: Float64Array
  detected: Int32Array
  mitochondrial: Float64Array | null
  /** cells x 2 */
  layout: Float32Array | null
  /** genes x cells */
  shown: Float32Array
  notices: ErrorReport[]
  timings: Timing[]
  summary: Record<string, unknown>
}

export async function readAnnotated(context: AnnotateContext): Promise<Annotated> {
  const [before, after] = [context.before('Prepare'), context.before('Label')]
  const records = await stepRecords(context)
  const prepared = records.Prepare.value as Prepared
  const labelled = records.Label.value as Labelled
  const models = await modelsOf(context, labelled)
  const coded = async (name: string, categories: string[]): Promise<Coded> => ({
    codes: await after.readBlock(name, Int32Array),
    categories,
  })
  const has = (name: string) => Object.hasOwn(records.Label.blocks, name)
  const had = (name: string) => Object.hasOwn(records.Prepare.blocks, name)
  const numbers = async (name: string) => (has(name) ? after.readBlock(name, Float32Array) : null)
  const labels = await coded('labels', labelled.labels)
  const raw = has('labels-raw') ? await coded('labels-raw', labelled.labels) : null
  const obs = await readObs(context)
  return {
    prepared,
    labelled,
    models,
    plan: models[0]!.plan,
    obs,
    labels,
    raw,
    terms: raw === null ? context.road.labels : withoutUnassigned(context.road.labels),
    uncertainty: await after.readBlock('uncertainty', Float32Array),
    byModel: wantsSeveralModels(context.road.settings) ? await coded('model', shownModels(models)) : null,
    byCell: has('by-cell') ? await coded('by-cell', labelled.labelsByCell) : null,
    clusters: has('clusters') ? await coded('clusters', labelled.clusters) : null,
    majorityShare: await numbers('majority-share'),
    second: has('second') ? await coded('second', labelled.classes) : null,
    margin: await numbers('margin'),
    others: await othersOf(context, labelled),
    adapted: (records.Fit?.value as Fitted | undefined) ?? null,
    fewCounts: had('few-counts') ? await before.readBlock('few-counts', Uint8Array) : null,
    totals: await before.readBlock('totals', Float64Array),
    detected: await before.readBlock('detected', Int32Array),
    mitochondrial: had('mitochondrial') ? await before.readBlock('mitochondrial', Float64Array) : null,
    layout: await numbers('umap'),
    shown: await before.readBlock('shown', Float32Array),
    notices: noticesOf(context, records),
    timings: timingsOf(records),
    summary: {
      ...summaryOf({ prepared, models, labels }),
      ...(raw !== null && { unassigned: unassignedCells(labels) }),
    },
  }
}

async function modelsOf(context: AnnotateContext, { cellsOfModel }: Labelled): Promise<ModelUse[]> {
  const maps = await context.geneMaps()
  const cards = await scoringCards(context)
  return maps.models.map(({ plan }, index) => ({
    card: cards[index]!,
    plan: planOf(maps, plan),
    cells: cellsOfModel[index]!,
  }))
}

async function othersOf(context: AnnotateContext, { network }: Labelled): Promise<Annotated['others']> {
  const step = context.before('Label')
  return Promise.all(
    (network?.others ?? []).map(async ({ column, labels }, i) => ({
      column,
      labels: { codes: await step.readBlock(`other-${i}`, Int32Array), categories: [...labels] },
      uncertainty: await step.readBlock(`other-${i}-uncertainty`, Float32Array),
    })),
  )
}

/** Two models may have one name: versions of one. */
function shownModels(models: readonly ModelUse[]): string[] {
  const names = models.map(({ card }) => card.name)
  const isTwice = (name: string) => names.indexOf(name) !== names.lastIndexOf(name)
  return models.map(({ card: { name, id } }) => (isTwice(name) ? `${name}@${id.slice(0, 8)}` : name))
}

/** A class of a model may be called so too and have a term: cells that are left unassigned have none. */
function withoutUnassigned({ [unassigned]: _, ...terms }: Annotated['terms']): Annotated['terms'] {
  return terms
}

export function unassignedCells({ codes, categories }: Coded): number {
  const none = categories.indexOf(unassigned)
  return codes.reduce((count, code) => count + Number(code === none), 0)
}

function summaryOf({
  prepared,
  models,
  labels,
}: {
  prepared: Prepared
  models: readonly ModelUse[]
  labels: Coded
}): Record<string, unknown> {
  const facts = models.map(({ card, plan, cells }) => ({
    model: card.id,
    name: card.name,
    modelGenes: plan.modelGenes,
    modelGenesFound: plan.found,
    cells,
  }))
  const { name: _, cells: __, ...only } = facts[0]!
  return {
    cells: prepared.cells,
    genes: prepared.genes,
    ...(facts.length === 1 ? only : { models: facts }),
    labels: Object.fromEntries(countsOf(labels)),
  }
}
