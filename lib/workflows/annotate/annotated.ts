/** Everything that the steps before found out about the cells, gathered for Publish. */
import type { Column, Table } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { BatchState } from '../../job/road.ts'
import type { StepRecord } from '../../job/steps.ts'
import type { GenePlan } from '../../knowledge/gene-plan.ts'
import { loadCard } from '../../models/bundle.ts'
import type { ModelCard } from '../../models/linear-model.ts'
import { openInput } from '../road/inputs.ts'
import type { StepContext } from '../workflow.ts'
import type { Labelled } from './label.ts'
import type { Prepared } from './prepare.ts'

/** One category a cell; -1 where there is none. */
export interface Coded {
  codes: Int32Array
  categories: string[]
}

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
  timings: { step: BatchState; seconds: number; peakMemoryMiB: number }[]
  summary: Record<string, unknown>
}

export async function readAnnotated(context: StepContext): Promise<Annotated> {
  const { road } = context
  const [input] = road.inputs
  if (input === undefined) throw new Error('a road without inputs')
  const [before, after] = [context.before('Prepare'), context.before('Label')]
  const records = await stepRecords(context)
  const prepared = records.Prepare.value as Prepared
  const labelled = records.Label.value as Labelled
  const plan = await context.genePlan()
  const model = await loadCard(context.stores.models, road.model)
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
    notices: distinct([
      ...input.facts.notices,
      ...road.notices,
      ...records.Prepare.notices,
      ...records.Embed.flatMap(({ notices }) => notices),
      ...records.Label.notices,
    ]),
    timings: timingsOf(records),
    summary: summaryOf({ prepared, plan, labels, model: road.model }),
  }
}

interface Records {
  Prepare: StepRecord
  Embed: StepRecord[]
  Label: StepRecord
}

async function stepRecords({ road, before }: StepContext): Promise<Records> {
  const embed: StepRecord[] = []
  for (let shard = 0; shard < road.shards; shard++) embed.push(await before('Embed', shard).finished())
  return {
    Prepare: await before('Prepare').finished(),
    Embed: embed,
    Label: await before('Label').finished(),
  }
}

async function readObs({ road, stores }: StepContext): Promise<Table> {
  const file = await openInput(road.inputs[0]!.pin, stores)
  try {
    return await file.obs()
  } finally {
    await file.close()
  }
}

/** Scores of all cells, shard after shard: cells x labels of the model. */
export async function readScores({ road, before }: StepContext, size: { cells: number; classes: number }) {
  const scores = new Float32Array(size.cells * size.classes)
  let at = 0
  for (let shard = 0; shard < road.shards; shard++) {
    const part = await before('Embed', shard).readBlock('scores', Float32Array)
    scores.set(part, at)
    at += part.length
  }
  return scores
}

/** The same remark of two steps is one remark. */
function distinct(notices: readonly ErrorReport[]): ErrorReport[] {
  return [...new Map(notices.map((notice) => [JSON.stringify(notice), notice])).values()]
}

/** Shards work at the same time: the longest counts. */
function timingsOf({ Prepare, Embed, Label }: Records): Annotated['timings'] {
  const of = (step: BatchState, records: readonly StepRecord[]) => ({
    step,
    seconds: Math.max(...records.map(({ seconds }) => seconds)),
    peakMemoryMiB: Math.max(...records.map(({ peakMemory }) => peakMemory)),
  })
  return [of('Prepare', [Prepare]), of('Embed', Embed), of('Label', [Label])]
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

/** Cells of each category that occurs, most first, equal ones by name. */
export function countsOf({ codes, categories }: Coded): [string, number][] {
  const counts = new Float64Array(categories.length)
  for (const code of codes) if (code >= 0) counts[code]! += 1
  return categories
    .map((label, code): [string, number] => [label, counts[code]!])
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
}

/** A categorical column with the categories that occur, in the order of their names. */
export function categoricalColumn({ codes, categories }: Coded): Column {
  const used = new Set(codes)
  const kept = categories.map((label, code) => ({ label, code })).filter(({ code }) => used.has(code))
  kept.sort((a, b) => (a.label < b.label ? -1 : 1))
  const place = new Int32Array(categories.length)
  for (const [at, { code }] of kept.entries()) place[code] = at
  return {
    kind: 'categorical',
    codes: codes.map((code) => (code < 0 ? -1 : place[code]!)),
    categories: { kind: 'string', values: kept.map(({ label }) => label) },
    ordered: false,
  }
}
