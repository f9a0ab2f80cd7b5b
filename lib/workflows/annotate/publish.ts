/** Publish of `annotate`: the query with its annotations beside what was there, the page, the picture and the table; result.json last. */
import { Readable } from 'node:stream'
import type { Figure } from '../../report/content.ts'
import { writeCsv } from '../../report/csv.ts'
import { renderPage } from '../../report/page.ts'
import { renderScatter } from '../../report/scatter-png.ts'
import { drawPlots } from '../parts/plots.ts'
import {
  clearOtherVersion,
  isPublished,
  once,
  stemOf,
  textBytes,
  writeCells,
  writeResult,
} from '../parts/results.ts'
import { surgeryCurve } from '../parts/training-curves.ts'
import type { StepResult } from '../workflow.ts'
import { type Annotated, readAnnotated } from './annotated.ts'
import { annotations } from './annotations.ts'
import type { AnnotateContext } from './context.ts'
import { predictionColumns } from './predictions.ts'
import { reportContent } from './report.ts'
import { scatterOf } from './report-map.ts'

const ours = /^(?:.+\.annotated\.h5ad|report\.html|umap\.png|elbo\.png|predictions\.csv)$/

export async function publish(context: AnnotateContext): Promise<StepResult> {
  if (await isPublished(context)) return { value: null, notices: [] }
  await clearOtherVersion(context, ours)
  const annotated = await readAnnotated(context)
  const given = {
    h5ad: `${stemOf(context.road.inputs[0]!.pin.key)}.annotated.h5ad`,
    report: 'report.html',
    ...(annotated.layout !== null && { umap: 'umap.png' }),
    predictions: 'predictions.csv',
  }
  context.progress(0, 4, 'files', 'writing the h5ad')
  const leftOut = await writeCells(context, {
    name: given.h5ad,
    additions: () => annotations(annotated, context),
  })
  const { history } = annotated.adapted ?? { history: [] }
  const { pictures, figures, failed } = await drawPlots(
    context,
    history.length === 0 ? [] : [surgeryCurve(history)],
  )
  const outputs = { ...given, ...pictures }
  const notices = [...annotated.notices, ...leftOut, ...failed]
  await writeViews(context, { ...annotated, notices }, { outputs, figures })
  const { summary, timings } = annotated
  await writeResult(context, { outputs, summary, notices, timings })
  context.progress(4, 4, 'files', 'done')
  return { value: { outputs }, notices }
}

/** The table, the picture and the page. */
async function writeViews(
  context: AnnotateContext,
  annotated: Annotated,
  {
    outputs,
    figures,
  }: {
    outputs: { report: string; umap?: string; predictions: string } & Record<string, string>
    figures: Figure[]
  },
): Promise<void> {
  context.progress(1, 4, 'files', 'writing the table')
  await once(context, outputs.predictions, async () => Readable.from(writeCsv(predictionColumns(annotated))))
  context.progress(2, 4, 'files', 'drawing the map')
  const scatter = scatterOf(annotated, context)
  if (scatter !== null && outputs.umap !== undefined)
    await once(context, outputs.umap, () => renderScatter(scatter))
  context.progress(3, 4, 'files', 'writing the report')
  const content = reportContent(annotated, { context, outputs, figures })
  await once(context, outputs.report, async () => textBytes(renderPage(content)))
}
