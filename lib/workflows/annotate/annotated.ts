/** Everything that the steps before found out about the cells, gathered for Publish. */
import type { Table } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { GenePlan } from '../../knowledge/gene-plan.ts'
import { loadCard } from '../../models/bundle.ts'
import type { ModelCard } from '../../models/linear-model.ts'
import { type Coded, countsOf } from '../parts/coded.ts'
import { planOf } from '../parts/gene-maps.ts'
import { noticesOf, readObs, stepRecords, type Timing, timingsOf } from '../parts/records.ts'
import { type AnnotateContext, modelOf } from './context.ts'
import type { Labelled } from './label.ts'
import type { Prepared } from './prepare.ts'

export interface Annotated {
  prepared: Prepared
  labelled: Labelled
  model: ModelCard
  plan: GenePlan
  /** of the query */
  obs: Table
  labels: Coded
  /** 0 sure, 1 unsure */
  uncertainty: Float32Array
  byCell: Coded | null
  clusters: Coded | null
  /** of its cluster, with the same label */
  majorityShare: Float32Array | null
  second: Coded | null
  margin: Float32Array | null
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
  const plan = planOf(await context.geneMaps(), 'query')
  const model = await loadCard(context.stores.models, modelOf(context))
  const coded = async (name: string, categories: string[]): Promise<Coded> => ({
    codes: await after.readBlock(name, Int32Array),
    categories,
  })
  const has = (name: string) => Object.hasOwn(records.Label.blocks, name)
  const had = (name: string) => Object.hasOwn(records.Prepare.blocks, name)
  const numbers = async (name: string) => (has(name) ? after.readBlock(name, Float32Array) : null)
  const labels = await coded('labels', labelled.labels)
  const obs = await readObs(context)
  return {
    prepared,
    labelled,
    model,
    plan,
    obs,
    labels,
    uncertainty: await after.readBlock('uncertainty', Float32Array),
    byCell: has('by-cell') ? await coded('by-cell', labelled.labelsByCell) : null,
    clusters: has('clusters') ? await coded('clusters', labelled.clusters) : null,
    majorityShare: await numbers('majority-share'),
    second: has('second') ? await coded('second', labelled.classes) : null,
    margin: await numbers('margin'),
    fewCounts: had('few-counts') ? await before.readBlock('few-counts', Uint8Array) : null,
    totals: await before.readBlock('totals', Float64Array),
    detected: await before.readBlock('detected', Int32Array),
    mitochondrial: had('mitochondrial') ? await before.readBlock('mitochondrial', Float64Array) : null,
    layout: await numbers('umap'),
    shown: await before.readBlock('shown', Float32Array),
    notices: noticesOf(context, records),
    timings: timingsOf(records),
    summary: summaryOf({ prepared, plan, labels, model: model.id }),
  }
}

function summaryOf({
  prepared,
  plan,
  labels,
  model,
}: {
  prepared: Prepared
  plan: GenePlan
  labels: Coded
  model: string
}): Record<string, unknown> {
  return {
    cells: prepared.cells,
    genes: prepared.genes,
    model,
    modelGenes: plan.modelGenes,
    modelGenesFound: plan.found,
    labels: Object.fromEntries(countsOf(labels)),
  }
}
