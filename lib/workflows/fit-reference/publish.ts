/** Publish of `fit-reference`: the atlas with what was found out, the model as scvi-tools loads it, page, pictures and tables; result.json last. */
import { Readable } from 'node:stream'
import type { ErrorReport } from '../../job/errors.ts'
import { exportScvi } from '../../models/scvi-export.ts'
import { type CsvColumn, writeCsv } from '../../report/csv.ts'
import { renderPage } from '../../report/page.ts'
import { renderScatter } from '../../report/scatter-png.ts'
import { countsOf } from '../parts/coded.ts'
import {
  clearOtherVersion,
  isPublished,
  once,
  stemOf,
  textBytes,
  writeCells,
  writeResult,
} from '../parts/results.ts'
import type { StepResult } from '../workflow.ts'
import { additionsOf } from './additions.ts'
import type { FitReferenceContext } from './context.ts'
import { type Plot, plots } from './figures.ts'
import { type Reference, readReference } from './reference.ts'
import { reportContent } from './report.ts'
import { confusionColumns, geneColumns, historyColumns, predictionColumns } from './tables.ts'

/** Names of all that a run may leave in its folder, result.json and error.json apart. */
const ours =
  /^(?:.+\.annotated\.h5ad|model\.pt|report\.html|umap\.png|training_\w+\.png|label_distribution\.png|(?:predictions|training_history|held_out|genes)\.csv)$/

export async function publish(context: FitReferenceContext): Promise<StepResult> {
  if (await isPublished(context)) return { value: null, notices: [] }
  await clearOtherVersion(context, ours)
  const reference = await readReference(context)
  const h5ad = `${stemOf(context.road.inputs[0]!.pin.key)}.annotated.h5ad`
  context.progress(0, 5, 'files', 'writing the h5ad')
  const leftOut = await writeCells(context, {
    name: h5ad,
    additions: async () => additionsOf(reference, context),
  })
  const notices = [...reference.notices, ...leftOut]
  context.progress(1, 5, 'files', 'writing the model')
  await once(context, 'model/model.pt', async () => exportScvi(reference.network.model))
  const tables = await writeTables(context, reference)
  context.progress(3, 5, 'files', 'drawing')
  const { pictures, drawn, failed } = await drawPlots(context, reference)
  notices.push(...failed)
  const outputs = { h5ad, model: 'model/model.pt', report: 'report.html', ...pictures, ...tables }
  context.progress(4, 5, 'files', 'writing the report')
  const told = { ...reference, notices }
  const content = reportContent(told, { context, outputs, drawn })
  await once(context, outputs.report, async () => textBytes(renderPage(content)))
  const { timings } = reference
  await writeResult(context, { outputs, summary: summaryOf(reference), notices, timings })
  context.progress(5, 5, 'files', 'done')
  return { value: { outputs }, notices }
}

async function writeTables(
  context: FitReferenceContext,
  reference: Reference,
): Promise<Record<string, string>> {
  context.progress(2, 5, 'files', 'writing tables')
  const confusion = confusionColumns(reference)
  const tables: Record<string, [name: string, columns: CsvColumn[]]> = {
    predictions: ['predictions.csv', predictionColumns(reference)],
    history: ['training_history.csv', historyColumns(reference)],
    genes: ['genes.csv', geneColumns(reference)],
    ...(confusion !== null && { confusion: ['held_out.csv', confusion] }),
  }
  for (const [name, columns] of Object.values(tables))
    await once(context, name, async () => Readable.from(writeCsv(columns)))
  return Object.fromEntries(Object.entries(tables).map(([key, [name]]) => [key, name]))
}

/** The model does not hang on a picture: one that cannot be drawn is told. */
async function drawPlots(context: FitReferenceContext, reference: Reference) {
  const pictures: Record<string, string> = {}
  const drawn: { plot: Plot; png: Uint8Array }[] = []
  const failed: ErrorReport[] = []
  const { layout, predicted, given, batches } = reference
  if (layout !== null) {
    const shown = predicted ?? given ?? batches
    const colouring = { kind: 'categorical' as const, name: 'Label', ...shown }
    const { seed } = context.road.settings
    await once(context, 'umap.png', () =>
      renderScatter({ xy: layout, colouring, title: context.job.name, seed }),
    )
    pictures.umap = 'umap.png'
  }
  for (const plot of plots(reference, context)) {
    context.signal.throwIfAborted()
    const png = await plot.draw().catch((error: unknown) => notDrawn(error, plot))
    if ('problem' in png) {
      failed.push(png)
      continue
    }
    await once(context, plot.file, async () => png)
    pictures[`plot_${plot.file.replace(/\.png$/, '')}`] = plot.file
    drawn.push({ plot, png })
  }
  return { pictures, drawn, failed }
}

function notDrawn(error: unknown, { file }: Plot): ErrorReport {
  const problem = `the plot could not be drawn: ${error instanceof Error ? error.message : String(error)}`
  return { code: 'PLOT_NOT_DRAWN', place: file, problem, remedy: 'The tables hold what it would have shown' }
}

function summaryOf({ prepared, fitted, labelled, predicted, network }: Reference): Record<string, unknown> {
  const { heldOut, phases } = fitted
  return {
    cells: prepared.cells,
    cellsLearntFrom: prepared.taking,
    modelGenes: prepared.modelGenes.length,
    batches: prepared.batch.categories.length,
    kind: fitted.kind,
    model: fitted.model,
    name: network.card.name,
    epochs: Object.fromEntries(phases.map(({ name, history }) => [name, history.length])),
    heldOut: {
      cells: heldOut.cells,
      elbo: heldOut.elbo,
      labelled: heldOut.labels?.cells ?? 0,
      accuracy: heldOut.labels?.accuracy ?? null,
      macroF1: heldOut.labels?.macroF1 ?? null,
    },
    labelAgreement: labelled.space?.labelAgreement ?? null,
    batchMixing: labelled.space?.batchMixing ?? null,
    ...(predicted !== null && { labels: Object.fromEntries(countsOf(predicted)) }),
  }
}
