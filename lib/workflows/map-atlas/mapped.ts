/** Everything that the steps before found out about the cells of query and atlas, gathered for Publish. Cells of the atlas come first. */
import type { Table } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { NetworkCard } from '../../models/network-card.ts'
import { columnNames } from '../parts/cluster-column.ts'
import { type Coded, codedTexts, countsOf } from '../parts/coded.ts'
import {
  type Explained,
  type MeanExplained,
  meansExplained,
  readExplained,
} from '../parts/explained-cells.ts'
import { noticesOf, stepRecords, type Timing, timingsOf } from '../parts/records.ts'
import type { LabelTerm } from '../workflow.ts'
import { loadAtlasCard } from './atlas-card.ts'
import type { MapAtlasContext } from './context.ts'
import type { Fitted } from './fit.ts'
import { sources } from './joint-obs.ts'
import type { Labelled } from './label.ts'
import { withSources } from './open-sources.ts'
import type { Prepared } from './prepare.ts'

/** How labels that the files had compare with those that the model gives. */
export interface Agreement {
  column: string
  /** cells that have a label which the model can predict, and the share of them that got it; null where there are none */
  query: { cells: number; share: number } | null
  atlas: { cells: number; share: number } | null
}

export interface Mapped {
  prepared: Prepared
  labelled: Labelled
  /** null in mode frozen */
  fitted: Fitted | null
  /** of the reference model */
  card: NetworkCard
  /** of the query, and of the atlas where there is one */
  obs: { query: Table; atlas: Table | null }
  labels: Coded
  terms: Readonly<Record<string, LabelTerm>>
  /** the highest probability, NaN for cells without a place */
  probability: Float32Array
  /** of all probabilities, 0 to 1 */
  entropy: Float32Array
  /** null where it was not asked for, or could not be assessed */
  explained: Explained | null
  /** cells x dimensions */
  latent: Float32Array
  /** cells x 2 */
  layout: Float32Array | null
  /** cells x classes, where they are to be written */
  soft: Float32Array | null
  totals: Float64Array
  detected: Int32Array
  /** 1 for cells below min_counts, and for those that take no part */
  hasFewCounts: Uint8Array
  /** atlas or query of each cell */
  source: Coded
  batches: Coded
  agreement: Agreement | null
  notices: ErrorReport[]
  timings: Timing[]
}

export async function readMapped(context: MapAtlasContext): Promise<Mapped> {
  const { road, stores } = context
  const [before, after] = [context.before('Prepare'), context.before('Label')]
  const records = await stepRecords(context)
  const prepared = records.Prepare.value as Prepared
  const labelled = records.Label.value as Labelled
  const has = (name: string) => Object.hasOwn(records.Label.blocks, name)
  const optional = async (name: string) => (has(name) ? after.readBlock(name, Float32Array) : null)
  const obs = await readTables(context)
  const labels: Coded = { codes: await after.readBlock('labels', Int32Array), categories: labelled.classes }
  const totals = await before.readBlock('totals', Float64Array)
  const leftOut = await before.readBlock('left-out', Uint8Array)
  const known =
    prepared.known === null
      ? null
      : { codes: await before.readBlock('known', Int32Array), categories: prepared.known.labels }
  return {
    prepared,
    labelled,
    fitted: records.Fit === undefined ? null : (records.Fit.value as Fitted),
    card: await loadAtlasCard(stores.models, road.models[0]!),
    obs,
    labels,
    terms: road.labels,
    probability: await after.readBlock('probability', Float32Array),
    entropy: await after.readBlock('entropy', Float32Array),
    explained: await readExplained(context, prepared.cells),
    latent: await after.readBlock('latent', Float32Array),
    layout: await optional('umap'),
    soft: await optional('soft'),
    totals,
    detected: await before.readBlock('detected', Int32Array),
    hasFewCounts: totals.reduce((flags, total, cell) => {
      flags[cell] = Number(total < road.settings.min_counts || leftOut[cell] !== 0)
      return flags
    }, new Uint8Array(totals.length)),
    source: sourceOf(prepared),
    batches: batchesOf(obs, road.settings.batch_key),
    agreement: known && {
      column: prepared.known!.column,
      ...agreementOf({ known, labels, from: prepared.atlasCells }),
    },
    notices: noticesOf(context, records),
    timings: timingsOf(records),
  }
}

function readTables(context: MapAtlasContext): Promise<Mapped['obs']> {
  return withSources(context, async (opened) => {
    const of = (role: 'query' | 'atlas') => opened.find((one) => one.role === role)?.obs ?? null
    return { query: of('query')!, atlas: of('atlas') }
  })
}

export function sourceOf({ cells, atlasCells }: Pick<Prepared, 'cells' | 'atlasCells'>): Coded {
  return {
    codes: Int32Array.from({ length: cells }, (_, cell) => Number(cell >= atlasCells)),
    categories: [...sources],
  }
}

function batchesOf({ query, atlas }: Mapped['obs'], column: string): Coded {
  const tables = atlas === null ? [query] : [atlas, query]
  return codedTexts(tables.flatMap(({ columns }) => columnNames(columns.get(column)!)))
}

function agreementOf({
  known,
  labels,
  from,
}: {
  known: Coded
  labels: Coded
  from: number
}): Pick<Agreement, 'query' | 'atlas'> {
  const classOf = known.categories.map((label) => labels.categories.indexOf(label))
  const within = (first: number, end: number) => {
    let [cells, right] = [0, 0]
    for (let cell = first; cell < end; cell++) {
      const wanted = classOf[known.codes[cell]!] ?? -1
      if (wanted < 0 || labels.codes[cell]! < 0) continue
      cells++
      right += Number(labels.codes[cell] === wanted)
    }
    return cells === 0 ? null : { cells, share: right / cells }
  }
  return { query: within(from, labels.codes.length), atlas: within(0, from) }
}

/** The cells of the query alone, of what is counted for all. */
export function ofQuery<Values extends Float32Array | Int32Array | Uint8Array | Float64Array>(
  values: Values,
  { prepared }: Pick<Mapped, 'prepared'>,
  width = 1,
): Values {
  return values.subarray(prepared.atlasCells * width) as Values
}

export function codedOfQuery(coded: Coded, mapped: Pick<Mapped, 'prepared'>): Coded {
  return { ...coded, codes: ofQuery(coded.codes, mapped) }
}

/** Of the query, and of the atlas where there is one; null where it is not known. */
export function explainedBySource({
  explained,
  prepared,
}: Pick<Mapped, 'explained' | 'prepared'>): { source: 'query' | 'atlas'; mean: MeanExplained | null }[] {
  const groupOf = (cell: number) => Number(cell >= prepared.atlasCells)
  const means = explained && meansExplained(explained, { groups: 2, groupOf })
  return [
    { source: 'query', mean: means?.[1] ?? null },
    ...(prepared.atlasCells === 0 ? [] : [{ source: 'atlas' as const, mean: means?.[0] ?? null }]),
  ]
}

export function summaryOf(mapped: Mapped, context: MapAtlasContext): Record<string, unknown> {
  const { prepared, fitted, card, labelled, agreement } = mapped
  const { mode } = context.road.settings
  return {
    mode,
    cells: prepared.cells - prepared.atlasCells,
    ...(prepared.atlasCells > 0 && { atlasCells: prepared.atlasCells }),
    model: card.id,
    modelName: card.name,
    ...(fitted !== null && {
      adaptedModel: fitted.model,
      adaptedName: fitted.name,
      epochs: fitted.history.length,
    }),
    labels: Object.fromEntries(countsOf(codedOfQuery(mapped.labels, mapped))),
    ...(labelled.mixing !== null && { mixing: labelled.mixing.ratio }),
    ...(agreement !== null && { agreement }),
    explained: Object.fromEntries(explainedBySource(mapped).map(({ source, mean }) => [source, mean])),
    newBatches: prepared.batches.added,
  }
}
