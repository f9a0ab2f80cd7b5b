/** The checks of labels against expression, and what they change: where asked, a cell keeps its type only when its markers speak for it. */
import type { ErrorReport } from '../../job/errors.ts'
import { filterByMarkers, verdicts as markerVerdicts } from '../../labels/marker-filter.ts'
import type { TypeCellsContext } from './context.ts'
import { type Outcome, unassign } from './outcome.ts'
import { type CellsToValidate, markersFor, validate } from './validate.ts'

/** Writes what the checks found; takes types away that markers do not bear out. */
export async function checkLabels(
  context: TypeCellsContext,
  { cells, outcome }: { cells: CellsToValidate; outcome: Outcome },
): Promise<ErrorReport[]> {
  const { settings } = context.road
  const { step } = context
  const notices: ErrorReport[] = []
  context.progress(0, 2, 'checks', 'markers and genes of the types')
  if (settings.generate_plots) {
    const checked = await validate(context, cells)
    notices.push(...checked.notices)
    await step.write('validation.json', new TextEncoder().encode(JSON.stringify(checked.validation)))
    await step.writeBlock('marker-verdicts', checked.verdicts)
    await step.writeBlock('marker-scores', checked.scores)
  }
  if (settings.filter_by_markers) notices.push(...(await filterUnmarked(context, { cells, outcome })))
  return notices
}

/** SpatialCore's filter_by_marker_validation: a cell keeps its type when its markers speak for it. Changes labels and reasons in place. */
async function filterUnmarked(
  context: TypeCellsContext,
  { cells, outcome }: { cells: CellsToValidate; outcome: Outcome },
): Promise<ErrorReport[]> {
  const { settings } = context.road
  const { markers, notices } = await markersFor(context, cells)
  const filtered = filterByMarkers(
    {
      expression: cells.expression,
      genes: [...cells.genes],
      codes: cells.predicted.codes,
      labels: cells.predicted.categories,
    },
    {
      place: `obs/${settings.annotation_prefix}_predicted`,
      markers: new Map([...markers].map(([name, { genes }]) => [name, genes])),
      confidence: cells.confidence,
      confidenceThreshold: settings.confidence_threshold,
      leastCells: settings.min_cells_per_plot,
      seed: settings.seed,
      policy: settings.compat === 'spatialcore' ? 'spatialcore' : 'strict',
    },
  )
  for (const [cell, verdict] of filtered.markers.entries())
    if (verdict === markerVerdicts.failed) unassign(outcome, cell)
  return [...notices, ...filtered.notices]
}
