/**
 * The cells of the atlas that stay with the model: all that were trained or validated on, where the final model places them, and their labels.
 *
 * Trap: places are those of the model as it ends, and of a scVI that a SCANVI started from they are not: they are computed here, once more.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { fitsReference, type ReferenceCells, type ReferenceColumn } from '../../models/reference-cells.ts'
import { scviInference } from '../../models/scvi-inference.ts'
import type { ScviModel } from '../../models/scvi-model.ts'
import type { TrainingCells } from '../../models/training-cells.ts'
import { providersOf } from '../parts/train-network.ts'
import type { FitReferenceContext } from './context.ts'
import type { Prepared } from './prepare.ts'
import { rowsAtOnce, trainingPart } from './training-part.ts'

/** @param of.rows number of each training cell among all cells of the atlas */
export async function keptCells(
  context: FitReferenceContext,
  { model, ...of }: { model: ScviModel; prepared: Prepared; data: TrainingCells; rows: Int32Array },
): Promise<{ reference: ReferenceCells | undefined; notices: ErrorReport[] }> {
  const { keep_cells } = context.road.settings
  if (!keep_cells) return { reference: undefined, notices: [] }
  const { cells } = of.data
  const columns = await columnsOf(context, of)
  const { latent } = model.shape
  if (!fitsReference({ cells, latent, columns: columns.length }))
    return { reference: undefined, notices: [tooMany(cells, context)] }
  return {
    reference: { cells, latent: await placesOf(context, { model, data: of.data }), columns },
    notices: [],
  }
}

/** Cells x latent. */
async function placesOf(
  { road, signal, progress }: FitReferenceContext,
  { model, data }: { model: ScviModel; data: TrainingCells },
): Promise<Float32Array> {
  const { latent } = model.shape
  const places = new Float32Array(data.cells * latent)
  const { place } = road.inputs[0]!.facts.inspection
  const inference = scviInference(model, { place, notices: [], providers: providersOf(road.settings) })
  try {
    for (let from = 0; from < data.cells; from += rowsAtOnce) {
      signal.throwIfAborted()
      const end = Math.min(from + rowsAtOnce, data.cells)
      const rows = Int32Array.from({ length: end - from }, (_, i) => from + i)
      const { slab, covariates } = trainingPart(data, rows)
      const { mean } = await inference.posterior(slab, covariates)
      places.set(mean, from * latent)
      progress(end, data.cells, 'cells', 'placing the cells that stay with the model')
    }
  } finally {
    await inference.close()
  }
  return places
}

/** What the model was taught comes first; cells that it was to take as unlabelled have no label there. */
async function columnsOf(
  { before, road }: FitReferenceContext,
  { prepared, data, rows }: { prepared: Prepared; data: TrainingCells; rows: Int32Array },
): Promise<ReferenceColumn[]> {
  const { labels, transfer } = prepared
  const taught: ReferenceColumn[] =
    labels === null
      ? []
      : [
          {
            column: road.settings.label_column!,
            categories: labels.categories.slice(0, -1),
            codes: Int32Array.from(data.labels!),
          },
        ]
  const further = transfer.map(async ({ column, categories }, i) => {
    const codes = await before('Prepare').readBlock(`transfer-${i}`, Int32Array)
    return { column, categories, codes: rows.map((row) => codes[row]!) }
  })
  return [...taught, ...(await Promise.all(further))]
}

function tooMany(cells: number, { road }: FitReferenceContext): ErrorReport {
  return {
    code: 'REFERENCE_CELLS_TOO_MANY',
    place: road.inputs[0]!.facts.inspection.place,
    problem: `the places of ${cells} cells are too large to be kept in the model: none are`,
    remedy: 'Label by its classifier, or fit a reference of fewer cells',
  }
}
