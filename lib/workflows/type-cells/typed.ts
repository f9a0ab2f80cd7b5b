/** Everything that the steps before found out about the cells, gathered for Publish. */
import type { Table } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { loadModel } from '../../models/bundle.ts'
import type { LinearModel } from '../../models/linear-model.ts'
import type { Coded } from '../parts/coded.ts'
import { noticesOf, readObs, stepRecords, type Timing, timingsOf } from '../parts/records.ts'
import type { LabelTerm } from '../workflow.ts'
import type { TypeCellsContext } from './context.ts'
import type { Fitted } from './fit.ts'
import type { Labelled } from './label.ts'
import type { Prepared } from './prepare.ts'
import { labelCellsOf } from './tables.ts'
import type { Validation } from './validate.ts'

export interface Typed {
  prepared: Prepared
  fitted: Fitted
  labelled: Labelled
  model: LinearModel
  /** of the query */
  obs: Table
  /** of the references, by label, and the cells that have them */
  terms: Readonly<Record<string, LabelTerm>>
  labelCells: Map<string, number>
  /** the class of highest score, or that of the cell's cluster */
  predicted: Coded
  /** predicted, or the broader class taken in its place: what the ontology columns tell of */
  called: Coded
  /** called, or "Unassigned" and its like */
  labels: Coded
  reasons: Coded
  confidence: Float64Array
  confidenceRaw: Float64Array
  /** 0 like the training cells, 1 unlike all of them */
  outOfReference: Float32Array | null
  byCell: Coded | null
  majorityShare: Float32Array | null
  probabilities: Float32Array | null
  validation: Validation | null
  /** `cellClasses` of the marker check */
  verdicts: Int32Array | null
  markerScores: Float64Array | null
  fewCounts: Uint8Array | null
  totals: Float64Array
  detected: Int32Array
  mitochondrial: Float64Array | null
  /** cells x 2 each */
  layout: Float32Array | null
  positions: Float32Array | null
  /** genes x cells */
  shown: Float32Array
  notices: ErrorReport[]
  timings: Timing[]
}

export async function readTyped(context: TypeCellsContext): Promise<Typed> {
  const { road, before: stepOf, stores } = context
  const [before, after] = [stepOf('Prepare'), stepOf('Label')]
  const records = await stepRecords(context)
  const prepared = records.Prepare.value as Prepared
  const fitted = records.Fit!.value as Fitted
  const labelled = records.Label.value as Labelled
  const has = (name: string) => Object.hasOwn(records.Label.blocks, name)
  const had = (name: string) => Object.hasOwn(records.Prepare.blocks, name)
  const coded = async (name: string, categories: string[]): Promise<Coded> => ({
    codes: await after.readBlock(name, Int32Array),
    categories,
  })
  const numbers = async (name: string) => (has(name) ? after.readBlock(name, Float32Array) : null)
  const isValidated = has('marker-verdicts')
  return {
    prepared,
    fitted,
    labelled,
    model: await loadModel(stores.models, fitted.model),
    obs: await readObs(context),
    terms: Object.assign(Object.create(null), road.labels),
    labelCells: labelCellsOf(context),
    predicted: await coded('predicted', labelled.labels),
    called: await coded('called', labelled.labels),
    labels: await coded('labels', labelled.labels),
    reasons: await coded('reasons', labelled.reasons),
    confidence: await after.readBlock('confidence', Float64Array),
    confidenceRaw: await after.readBlock('confidence-raw', Float64Array),
    outOfReference: await numbers('out-of-reference'),
    byCell: has('by-cell') ? await coded('by-cell', labelled.classes) : null,
    majorityShare: await numbers('majority-share'),
    probabilities: await numbers('probabilities'),
    validation: isValidated
      ? (JSON.parse(new TextDecoder().decode(await after.read('validation.json', 256 << 20))) as Validation)
      : null,
    verdicts: isValidated ? await after.readBlock('marker-verdicts', Int32Array) : null,
    markerScores: isValidated ? await after.readBlock('marker-scores', Float64Array) : null,
    fewCounts: had('few-counts') ? await before.readBlock('few-counts', Uint8Array) : null,
    totals: await before.readBlock('totals', Float64Array),
    detected: await before.readBlock('detected', Int32Array),
    mitochondrial: had('mitochondrial') ? await before.readBlock('mitochondrial', Float64Array) : null,
    layout: await numbers('umap'),
    positions: had('positions') ? await before.readBlock('positions', Float32Array) : null,
    shown: await before.readBlock('shown', Float32Array),
    notices: noticesOf(context, records),
    timings: timingsOf(records),
  }
}
