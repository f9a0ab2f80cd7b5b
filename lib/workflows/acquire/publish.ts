/**
 * Publish of `acquire`: the cells are fetched, put together where they are of several files or only some of them, and take their place at
 * the output; then tables, the page, and result.json last. The h5ad lies at the output alone: references are large, and one copy is enough.
 */
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { openCells } from '../../data/open-cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { readJson } from '../../job/steps.ts'
import type { LabelRow } from '../../references/choose-cells.ts'
import type { SourceFacts } from '../../references/found-file.ts'
import { writeReference } from '../../references/write-reference.ts'
import { type CsvColumn, writeCsv } from '../../report/csv.ts'
import { renderPage } from '../../report/page.ts'
import type { Timing } from '../parts/records.ts'
import { clearOtherVersion, isPublished, once, textBytes, writeResult } from '../parts/results.ts'
import type { StepResult } from '../workflow.ts'
import { chosenOf, readPrepared, reopen } from './acquired.ts'
import { type ColumnCounts, countCells } from './census.ts'
import { type AcquireContext, environmentOf, outputFor } from './context.ts'
import { type Output, placeFile } from './output.ts'
import { type FoundCells, keptNotice } from './prepare.ts'
import { reportContent } from './report.ts'
import { type ToldDataset, toldDatasets } from './told-datasets.ts'

/** Names of all that a run may leave in its folder, result.json and error.json apart. */
export const acquireOutputs = /^(?:report\.html|cells_by_label\.csv|datasets\.csv)$/

/** What stands at the output in the end. */
export interface Written {
  isKept: boolean
  /** of the file at the output, whoever wrote it */
  bytes: number
  /** null where it was kept */
  cells: number | null
  genes: number | null
  counts: ColumnCounts[]
  datasets: ToldDataset[]
  notices: ErrorReport[]
}

export interface Acquired {
  output: string
  written: Written
  /** null where nothing was fetched */
  source: SourceFacts | null
  /** byte for byte as it was published */
  whole: boolean
  /** X is raw counts, of every file */
  holdsCounts: boolean
  /** of the source, before any were left out */
  available: number | null
  labels: readonly LabelRow[]
  notices: ErrorReport[]
  timings: Timing[]
}

export async function publish(context: AcquireContext): Promise<StepResult> {
  if (await isPublished(context)) return { value: null, notices: [] }
  await clearOtherVersion(context, acquireOutputs)
  const acquired = await acquire(context)
  const { notices, timings } = acquired
  const tables = await writeTables(context, acquired)
  const outputs = { report: 'report.html', ...tables }
  const content = reportContent(acquired, { context, outputs })
  await once(context, outputs.report, async () => textBytes(renderPage(content)))
  await writeResult(context, { outputs, summary: summaryOf(acquired), notices, timings })
  context.progress(1, 1, 'files', 'done')
  return { value: { outputs }, notices }
}

async function acquire(context: AcquireContext): Promise<Acquired> {
  const { record, found } = await readPrepared(context)
  const output = await outputFor(context)
  const written = found === null ? await keptFile(output) : await placedFile(context, { found, output })
  const isOurs = found !== null && !written.isKept
  return {
    output: output.location,
    written,
    source: isOurs ? found.facts : null,
    whole: isOurs && found.chosen.whole,
    holdsCounts: isOurs && found.chosen.files.every(({ holdsCounts }) => holdsCounts),
    available: isOurs ? found.chosen.available : null,
    labels: isOurs ? found.chosen.labels : [],
    notices: [...record.notices, ...written.notices],
    timings: [{ step: 'Prepare', seconds: record.seconds, peakMemoryMiB: record.peakMemory }],
  }
}

const kept = { isKept: true, cells: null, genes: null, counts: [], datasets: [] }

async function keptFile({ store, key }: Output): Promise<Written> {
  const info = await store.head(key)
  return { ...kept, bytes: info?.size ?? 0, notices: [] }
}

/** What was placed is noted, so that a Publish that is killed behind it does not fetch everything again. */
async function placedFile(
  context: AcquireContext,
  { found, output }: { found: FoundCells; output: Output },
): Promise<Written> {
  const { step, stores } = context
  const before = await readJson<Written>(stores.work, `${step.prefix}placed.json`)
  if (before !== undefined) return before
  const written = await fetchAndPlace(context, { found, output })
  await step.write('placed.json', textBytes(JSON.stringify(written)))
  return written
}

async function fetchAndPlace(
  context: AcquireContext,
  { found, output }: { found: FoundCells; output: Output },
): Promise<Written> {
  const { road, scratch, signal } = context
  const { gzip, force } = road.settings
  const path = join(scratch, 'reference.h5ad')
  context.progress(0, found.chosen.cells, 'cells', 'fetching')
  const made = await writeReference(path, {
    files: await reopen(context, found),
    environment: environmentOf(context),
    scratch,
    chosen: await chosenOf(context, found),
    facts: found.facts,
    ...(gzip > 0 && { gzip }),
    signal,
    progress: ({ cells, of }) => context.progress(cells, of, 'cells', 'fetching'),
  })
  const file = await openCells(path)
  const [counts, datasets] = await Promise.all([countCells(file), toldDatasets(file, found)]).finally(() =>
    file.close(),
  )
  context.progress(made.cells, made.cells, 'cells', `writing ${output.location}`)
  const { info, isKept } = await placeFile(path, output, { force, signal })
  if (!isKept)
    return {
      ...{ isKept, bytes: info.size, cells: made.cells, genes: made.genes },
      ...{ counts, datasets, notices: made.notices },
    }
  const told = {
    ...keptNotice(output.location),
    problem: 'a file has come there while this job ran: it was kept, and what was fetched was thrown away',
  }
  return { ...kept, bytes: info.size, notices: [told] }
}

async function writeTables(
  context: AcquireContext,
  { labels, written: { datasets } }: Acquired,
): Promise<Record<string, string>> {
  const tables: Record<string, [name: string, columns: CsvColumn[]]> = {
    ...(labels.length > 0 && { labels: ['cells_by_label.csv', labelColumns(labels)] }),
    ...(datasets.length > 0 && { datasets: ['datasets.csv', datasetColumns(datasets)] }),
  }
  for (const [name, columns] of Object.values(tables))
    await once(context, name, async () => Readable.from(writeCsv(columns)))
  return Object.fromEntries(Object.entries(tables).map(([key, [name]]) => [key, name]))
}

function labelColumns(labels: readonly LabelRow[]): CsvColumn[] {
  return [
    { name: 'label', values: labels.map(({ label }) => label) },
    { name: 'cell_type_ontology_term_id', values: labels.map(({ id }) => id || null) },
    { name: 'cells', values: labels.map(({ cells }) => cells) },
  ]
}

function datasetColumns(datasets: readonly ToldDataset[]): CsvColumn[] {
  const names = ['id', 'version', 'title', 'collection', 'doi', 'citation', 'cells'] as const
  return names.map((name) => ({ name, values: datasets.map((one) => one[name]) }))
}

function summaryOf({ output, written, source, whole, available, labels }: Acquired) {
  const { isKept, bytes, cells, genes, datasets } = written
  const byLabel = new Map<string, number>()
  for (const row of labels) byLabel.set(row.label, (byLabel.get(row.label) ?? 0) + row.cells)
  return {
    ...{ output, kept: isKept, bytes, cells, genes, available, whole, source },
    labels: Object.fromEntries(byLabel),
    datasets,
  }
}
