/** Everything that the steps before found out about the atlas, gathered for Publish. */
import type { Table } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { loadNetwork } from '../../models/bundle.ts'
import type { NetworkModel } from '../../models/network-model.ts'
import type { Coded } from '../parts/coded.ts'
import { type CellCodes, leftOutReasons, readCellCodes } from '../parts/count-shards.ts'
import { readEmbedded } from '../parts/latent.ts'
import { noticesOf, readObs, stepRecords, type Timing, timingsOf } from '../parts/records.ts'
import type { LabelTerm } from '../workflow.ts'
import type { FitReferenceContext } from './context.ts'
import type { Fitted } from './fit.ts'
import type { Labelled } from './label.ts'
import type { Prepared } from './prepare.ts'

export interface Reference {
  prepared: Prepared
  fitted: Fitted
  labelled: Labelled
  network: NetworkModel
  /** of the atlas */
  obs: Table
  terms: ReadonlyMap<string, LabelTerm>
  codes: CellCodes
  /** the atlas's own labels; null where the job names none */
  given: Coded | null
  batches: Coded
  /** null where there is no classifier */
  predicted: Coded | null
  confidence: Float32Array | null
  entropy: Float32Array | null
  /** what each cell was to the training: learnt from, held out, left out and why */
  use: Coded
  /** cells x latent */
  latent: Float32Array
  /** cells x classes */
  soft: Float32Array | null
  /** cells x 2 */
  layout: Float32Array | null
  totals: Float64Array
  detected: Int32Array
  notices: ErrorReport[]
  timings: Timing[]
}

export async function readReference(context: FitReferenceContext): Promise<Reference> {
  const { road, stores, before } = context
  const [preparing, after] = [before('Prepare'), before('Label')]
  const records = await stepRecords(context)
  const prepared = records.Prepare.value as Prepared
  const fitted = records.Fit!.value as Fitted
  const { cells, labels, batch } = prepared
  const classes = labels === null ? 0 : labels.categories.length - 1
  const codes = await readCellCodes(preparing)
  const has = (name: string) => Object.hasOwn(records.Label.blocks, name)
  const numbers = async (name: string) => (has(name) ? after.readBlock(name, Float32Array) : null)
  const names = labels?.categories.slice(0, classes) ?? []
  return {
    prepared,
    fitted,
    labelled: records.Label.value as Labelled,
    network: await loadNetwork(stores.models, fitted.model),
    obs: await readObs(context),
    terms: new Map(Object.entries(road.labels)),
    codes,
    given: codes.labels === null ? null : { codes: codes.labels, categories: names },
    batches: { codes: codes.categories[0]!, categories: [...batch.categories] },
    predicted: has('predicted')
      ? { codes: await after.readBlock('predicted', Int32Array), categories: names }
      : null,
    confidence: await numbers('confidence'),
    entropy: await numbers('entropy'),
    use: useOf(codes, await before('Fit').readBlock('validation', Int32Array)),
    ...(await readEmbedded(context, { cells, latent: road.settings.n_latent, classes })),
    layout: await numbers('umap'),
    totals: await preparing.readBlock('totals', Float64Array),
    detected: await preparing.readBlock('detected', Int32Array),
    notices: noticesOf(context, records),
    timings: timingsOf(records),
  }
}

const [learnt, heldOut] = ['learnt from', 'held out'] as const

function useOf({ leftOut }: CellCodes, validation: Int32Array): Coded {
  const categories = [learnt, heldOut, ...leftOutReasons.slice(1).map((reason) => `left out: ${reason}`)]
  const codes = Int32Array.from(leftOut, (reason) => (reason === 0 ? 0 : reason + 1))
  for (const cell of validation) codes[cell] = 1
  return { codes, categories }
}
