/** Publish of `fit-reference`: the atlas with what was found out, the model as scvi-tools loads it, page, pictures and tables; result.json last. */
import { Readable } from 'node:stream'
import { exportScvi } from '../../models/scvi-export.ts'
import { type CsvColumn, writeCsv } from '../../report/csv.ts'
import { renderPage } from '../../report/page.ts'
import { renderScatter } from '../../report/scatter-png.ts'
import { countsOf } from '../parts/coded.ts'
import { type ExpressionFile, writeExpression } from '../parts/expression-file.ts'
import { type Drawn, drawPlots, type Plot } from '../parts/plots.ts'
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
import { plots } from './figures.ts'
import { type Reference, readReference } from './reference.ts'
import { reportContent } from './report.ts'
import { confusionColumns, geneColumns, historyColumns, predictionColumns } from './tables.ts'

/** Names of all that a run may leave in its folder, result.json and error.json apart. */
const ours =
  /^(?:.+\.annotated\.h5ad|normalized_expression\.h5ad|model\.pt|report\.html|umap\.png|training_\w+\.png|label_distribution\.png|(?:predictions|training_history|held_out|genes)\.csv)$/

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
  const expression = await writeExpression(context, expressionOf(context, reference))
  context.progress(3, 5, 'files', 'drawing')
  const { pictures, figures, failed } = await drawAll(context, reference)
  notices.push(...failed)
  const model = 'model/model.pt'
  const outputs = { h5ad, model, report: 'report.html', ...expression, ...pictures, ...tables }
  context.progress(4, 5, 'files', 'writing the report')
  const told = { ...reference, notices }
  const content = reportContent(told, { context, outputs, figures })
  await once(context, outputs.report, async () => textBytes(renderPage(content)))
  const { timings } = reference
  await writeResult(context, { outputs, summary: summaryOf(reference), notices, timings })
  context.progress(5, 5, 'files', 'done')
  return { value: { outputs }, notices }
}

function expressionOf(
  { road }: FitReferenceContext,
  { prepared, obs, network }: Reference,
): ExpressionFile | null {
  if (prepared.expression === null) return null
  const { id, name, genes, bins } = network.card
  return {
    ...{ plan: prepared.expression, allCells: prepared.cells, index: obs.index, settings: road.settings },
    model: { id, name, genes, bins: bins?.count ?? 0 },
  }
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

function drawAll(context: FitReferenceContext, reference: Reference): Promise<Drawn> {
  const { layout, predicted, given, batches } = reference
  const { seed } = context.road.settings
  const colouring = { kind: 'categorical' as const, name: 'Label', ...(predicted ?? given ?? batches) }
  const map: Plot[] =
    layout === null
      ? []
      : [
          {
            ...{ key: 'umap', file: 'umap.png', title: 'Map', caption: '', isOnPage: false },
            draw: () => renderScatter({ xy: layout, colouring, title: context.job.name, seed }),
          },
        ]
  return drawPlots(context, [...map, ...plots(reference, context)])
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
    referenceCells: fitted.kept,
    labelAgreement: labelled.space?.labelAgreement ?? null,
    batchMixing: labelled.space?.batchMixing ?? null,
    ...(predicted !== null && { labels: Object.fromEntries(countsOf(predicted)) }),
  }
}
