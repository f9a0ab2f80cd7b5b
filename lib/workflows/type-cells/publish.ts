/**
 * Publish of `type-cells`: the query with its types, the page, the plots and tables, and the trained model as CellTypist reads it;
 * result.json last.
 */
import { Readable } from 'node:stream'
import { openCells } from '../../data/open-cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { type CsvColumn, writeCsv } from '../../report/csv.ts'
import { renderPage } from '../../report/page.ts'
import { renderScatter } from '../../report/scatter-png.ts'
import { countsOf } from '../parts/coded.ts'
import { filesOfModel } from '../parts/model-files.ts'
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
import { readScores } from '../parts/scores.ts'
import type { StepResult } from '../workflow.ts'
import { countsNotice, typedAdditions } from './columns.ts'
import type { TypeCellsContext } from './context.ts'
import { plots } from './figures.ts'
import { predictionColumns } from './predictions.ts'
import { reportContent } from './report.ts'
import { scatterOf } from './report-map.ts'
import {
  balanceColumns,
  markerColumns,
  ontologyColumns,
  ontologySummary,
  rankedColumns,
  reviewColumns,
} from './tables.ts'
import { trainingFile, writeTraining } from './training-file.ts'
import { readTyped, type Typed } from './typed.ts'

/** Names of all that a run may leave in its folder, result.json and error.json apart. */
export const typeCellsOutputs =
  /^(?:.+\.annotated\.h5ad|report\.html|umap\.png|celltyping_\w+\.(?:png|csv|json)|predictions\.csv|ontology_review\.csv|training_cells\.csv|training\.h5ad|.+\.pkl|.+_(?:celltypist|colors)\.json)$/

export async function publish(context: TypeCellsContext): Promise<StepResult> {
  if (await isPublished(context)) return { value: null, notices: [] }
  await clearOtherVersion(context, typeCellsOutputs)
  const typed = await readTyped(context)
  const h5ad = `${stemOf(context.road.inputs[0]!.pin.key)}.annotated.h5ad`
  context.progress(0, 6, 'files', 'writing the h5ad')
  const leftOut = await writeQuery(context, typed, h5ad)
  const notices = [...typed.notices, ...leftOut, ...countsNotice(context, h5ad)]
  const told = { ...typed, notices }
  const tables = await writeTables(context, told)
  const model = await writeModel(context, told)
  const training = await writeTrainingCells(context, told)
  const { pictures, figures, failed } = await drawAll(context, told)
  notices.push(...training.notices, ...failed)
  const outputs = { h5ad, report: 'report.html', ...pictures, ...tables, ...model, ...training.outputs }
  context.progress(5, 6, 'files', 'writing the report')
  const content = reportContent(told, { context, outputs, figures })
  await once(context, outputs.report, async () => textBytes(renderPage(content)))
  await writeResult(context, { outputs, summary: summaryOf(typed), notices, timings: typed.timings })
  context.progress(6, 6, 'files', 'done')
  return { value: { outputs }, notices }
}

async function writeQuery(context: TypeCellsContext, typed: Typed, name: string): Promise<ErrorReport[]> {
  const size = { cells: typed.prepared.cells, classes: typed.labelled.classes.length }
  const opened: { close(): Promise<void> }[] = []
  try {
    return await writeCells(context, {
      name,
      async additions(path) {
        const file = await openCells(path)
        opened.push(file)
        return typedAdditions(typed, { context, scores: await readScores(context, size), file })
      },
    })
  } finally {
    for (const file of opened) await file.close()
  }
}

async function writeTables(context: TypeCellsContext, typed: Typed): Promise<Record<string, string>> {
  context.progress(1, 6, 'files', 'writing tables')
  const { settings } = context.road
  const tables: Record<string, [name: string, columns: CsvColumn[]]> = {
    predictions: ['predictions.csv', predictionColumns(typed)],
    training_cells: ['training_cells.csv', balanceColumns(typed)],
    ...(settings.add_ontology && {
      ontology_mapping: ['celltyping_ontology_mapping.csv', ontologyColumns(typed)],
      ontology_review: ['ontology_review.csv', reviewColumns(typed)],
    }),
    ...(typed.validation !== null && {
      marker_validation: ['celltyping_2d_validation.csv', markerColumns(typed)],
      ranked_genes: ['celltyping_deg.csv', rankedColumns(typed)],
    }),
  }
  for (const [name, columns] of Object.values(tables))
    await once(context, name, async () => Readable.from(writeCsv(columns)))
  const outputs = Object.fromEntries(Object.entries(tables).map(([key, [name]]) => [key, name]))
  if (!settings.add_ontology) return outputs
  const summary = 'celltyping_ontology_mapping_metadata.json'
  await once(context, summary, async () => textBytes(`${JSON.stringify(ontologySummary(typed), null, 2)}\n`))
  return { ...outputs, ontology_metadata: summary }
}

async function writeModel(context: TypeCellsContext, { model }: Typed): Promise<Record<string, string>> {
  const files = filesOfModel(model)
  for (const { name, bytes } of files) await once(context, name, async () => bytes)
  const kinds = ['model', 'model_metadata', 'colours']
  return Object.fromEntries(files.map(({ name }, at) => [kinds[at] ?? name, name]))
}

async function writeTrainingCells(context: TypeCellsContext, typed: Typed) {
  if (!context.road.settings.write_training) return { outputs: {}, notices: [] }
  context.progress(1, 6, 'files', 'writing the training cells')
  return { notices: await writeTraining(context, typed), outputs: { training: trainingFile } }
}

/** The map, and what `generate_plots` asks for. */
async function drawAll(context: TypeCellsContext, typed: Typed): Promise<Drawn> {
  const scatter = scatterOf(typed, context)
  const map: Plot[] =
    scatter === null
      ? []
      : [
          {
            key: 'umap',
            file: 'umap.png',
            title: 'Map',
            caption: '',
            isOnPage: false,
            draw: () => renderScatter(scatter),
          },
        ]
  context.progress(2, 6, 'files', 'drawing')
  const wanted = context.road.settings.generate_plots ? plots(typed, context) : []
  const named = wanted.map((plot) => ({
    ...plot,
    key: `plot_${plot.file.replace(/^celltyping_|\.png$/g, '')}`,
  }))
  return drawPlots(context, [...map, ...named])
}

function summaryOf({ prepared, fitted, labels, labelled, reasons }: Typed): Record<string, unknown> {
  const { evaluation } = fitted
  return {
    cells: prepared.cells,
    genes: prepared.genes,
    modelGenes: prepared.modelGenes.length,
    model: fitted.model,
    trainingCells: prepared.trainingCells,
    types: labelled.classes.length,
    labels: Object.fromEntries(countsOf(labels)),
    reasons: Object.fromEntries(countsOf(reasons)),
    heldOut: {
      accuracy: evaluation.accuracy,
      macroF1: evaluation.macroF1,
      calibrationError: evaluation.ece,
    },
  }
}
