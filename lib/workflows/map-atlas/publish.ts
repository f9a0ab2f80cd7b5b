/**
 * Publish of `map-atlas`: the query with places and labels beside what was there, or atlas and query as one file; the page, its pictures and
 * tables, and the adapted model in the layout of scvi-tools; result.json last.
 */
import { Readable } from 'node:stream'
import type { ErrorReport } from '../../job/errors.ts'
import { readJson } from '../../job/steps.ts'
import { exportScvi } from '../../models/scvi-export.ts'
import { writeCsv } from '../../report/csv.ts'
import { renderPage } from '../../report/page.ts'
import { type ExpressionFile, writeExpression } from '../parts/expression-file.ts'
import { planNames, planOf } from '../parts/gene-maps.ts'
import { drawPlots } from '../parts/plots.ts'
import {
  clearOtherVersion,
  isPublished,
  once,
  onceByFile,
  stemOf,
  textBytes,
  writeCells,
  writeResult,
} from '../parts/results.ts'
import type { StepResult } from '../workflow.ts'
import { loadAtlasModel } from './atlas-model.ts'
import { cellColumns } from './columns.ts'
import type { MapAtlasContext } from './context.ts'
import { plots } from './figures.ts'
import { jointPlan } from './genes.ts'
import { writeJoint } from './joint-file.ts'
import { jointIndex } from './joint-obs.ts'
import { type Mapped, readMapped, summaryOf } from './mapped.ts'
import { withSources } from './open-sources.ts'
import { droppedColumns, predictionColumns } from './predictions.ts'
import { reportContent } from './report.ts'
import { namesFor } from './rules.ts'

/** Names of all that a run may leave in its folder, result.json and error.json apart. */
export const mapAtlasOutputs =
  /^(?:.+\.(?:mapped|extended)\.h5ad|normalized_expression\.h5ad|report\.html|(?:umap(?:_source|_probability|_batch)?|elbo|label_distribution)\.png|predictions\.csv|dropped_genes\.csv|model\.pt)$/

export async function publish(context: MapAtlasContext): Promise<StepResult> {
  if (await isPublished(context)) return { value: null, notices: [] }
  await clearOtherVersion(context, mapAtlasOutputs)
  const mapped = await readMapped(context)
  const isExtended = context.road.settings.mode === 'extend'
  const stem = stemOf(context.road.inputs[0]!.pin.key)
  const h5ad = `${stem}.${isExtended ? 'extended' : 'mapped'}.h5ad`
  context.progress(0, 4, 'files', 'writing the h5ad')
  const leftOut = isExtended
    ? await writeExtended(context, mapped, h5ad)
    : await writeQuery(context, mapped, h5ad)
  context.progress(1, 4, 'files', 'writing tables')
  const tables = await writeTables(context, mapped)
  const model = await writeModel(context, mapped)
  const expression = await writeExpression(context, expressionOf(context, mapped))
  context.progress(2, 4, 'files', 'drawing')
  const { pictures, figures, failed } = await drawPlots(context, plots(mapped, context))
  const notices = [...mapped.notices, ...leftOut, ...failed]
  const outputs = { h5ad, report: 'report.html', ...tables, ...model, ...expression, ...pictures }
  context.progress(3, 4, 'files', 'writing the report')
  const maps = await context.geneMaps()
  const content = reportContent({ ...mapped, notices }, { context, maps, figures, outputs })
  await once(context, outputs.report, async () => textBytes(renderPage(content)))
  const summary = summaryOf(mapped, context)
  await writeResult(context, { outputs, summary, notices, timings: mapped.timings })
  context.progress(4, 4, 'files', 'done')
  return { value: { outputs }, notices }
}

/** What an earlier run of these names wrote goes, whether this one writes it or not. */
function everyKey({ road: { settings } }: MapAtlasContext) {
  const names = namesFor(settings)
  return { obs: Object.values(names.obs), obsm: Object.values(names.obsm), uns: Object.values(names.uns) }
}

function writeQuery(context: MapAtlasContext, mapped: Mapped, name: string): Promise<ErrorReport[]> {
  const { settings } = context.road
  const { obs, obsm, uns } = cellColumns(mapped, { context, cells: 'query' })
  const rows = mapped.prepared.cells - mapped.prepared.atlasCells
  const { source, ...own } = namesFor(settings).obs
  const { jointUmap, ...arrays } = namesFor(settings).obsm
  return writeCells(context, {
    name,
    additions: async () => ({
      obs,
      obsm: new Map(
        [...obsm].map(([key, { values, width }]) => [
          key,
          { kind: 'array' as const, type: 'float32' as const, shape: [rows, width], values },
        ]),
      ),
      uns,
      ...(settings.overwrite && {
        without: { ...everyKey(context), obs: Object.values(own), obsm: Object.values(arrays) },
      }),
    }),
  })
}

async function writeExtended(context: MapAtlasContext, mapped: Mapped, name: string): Promise<ErrorReport[]> {
  const { step, stores } = context
  await onceByFile(context, name, async (path) => {
    const columns = cellColumns(mapped, { context, cells: 'all' })
    const notices = await writeJoint(context, path, { ...columns, without: everyKey(context).obs })
    await step.write('joint-notices.json', textBytes(JSON.stringify(notices)))
  })
  return (await readJson<ErrorReport[]>(stores.work, `${step.prefix}joint-notices.json`)) ?? []
}

async function writeTables(context: MapAtlasContext, mapped: Mapped): Promise<Record<string, string>> {
  await once(context, 'predictions.csv', async () => Readable.from(writeCsv(predictionColumns(mapped))))
  const { plans } = await context.geneMaps()
  const joint = plans[jointPlan]
  const isWhole = joint?.missing.length === 0 && joint.target.every((gene) => gene >= 0)
  if (joint === undefined || isWhole) return { predictions: 'predictions.csv' }
  await once(context, 'dropped_genes.csv', async () =>
    Readable.from(writeCsv(droppedColumns(joint, await queryGenes(context)))),
  )
  return { predictions: 'predictions.csv', dropped_genes: 'dropped_genes.csv' }
}

function queryGenes(context: MapAtlasContext): Promise<readonly string[]> {
  return withSources(context, async (opened) => {
    const { file, matrix } = opened.find(({ role }) => role === 'query')!
    const plan = planOf(await context.geneMaps(), jointPlan)
    return planNames(plan, await file.genesOf(matrix))
  })
}

function expressionOf({ road }: MapAtlasContext, mapped: Mapped): ExpressionFile | null {
  const { prepared, obs, card, fitted } = mapped
  if (prepared.expression === null) return null
  const { query, atlas } = obs
  const [id, name] = fitted?.model == null ? [card.id, card.name] : [fitted.model, fitted.name!]
  return {
    ...{ plan: prepared.expression, allCells: prepared.cells, settings: road.settings },
    // from the first cell on they are those of both files
    index: prepared.expression.first === 0 && atlas !== null ? jointIndex({ atlas, query }) : query.index,
    model: { id, name, genes: card.genes, bins: card.bins?.count ?? 0 },
  }
}

async function writeModel(context: MapAtlasContext, { fitted }: Mapped): Promise<Record<string, string>> {
  const id = fitted?.model ?? null
  if (id === null) return {}
  const { model } = await loadAtlasModel(context.stores.models, id)
  await once(context, 'model.pt', async () => exportScvi(model))
  return { model: 'model.pt' }
}
