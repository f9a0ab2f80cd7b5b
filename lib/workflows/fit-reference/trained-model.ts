/** What was trained as a model of scvi-tools: weights under the names of its state dict, setup, history; and its card for the model store. */
import { product } from '../../job/product.ts'
import type { FitReferenceSettings } from '../../job/settings/fit-reference.ts'
import { detectGeneIds } from '../../knowledge/gene-ids.ts'
import type { FittedNetwork } from '../../models/fit-network.ts'
import { historyOf } from '../../models/network-history.ts'
import { makeNetworkModel, type NetworkFacts, type NetworkModel } from '../../models/network-model.ts'
import type { ReferenceCells } from '../../models/reference-cells.ts'
import type { CategoryColumn, ScviModel } from '../../models/scvi-model.ts'
import { joinWeights } from '../../models/state-dict.ts'
import type { EpochRecord } from '../../models/training-schedule.ts'
import type { FitReferenceContext } from './context.ts'
import type { TrainedPhase } from './fit.ts'
import type { HeldOut } from './held-out.ts'
import { recordOf } from './network-plan.ts'
import type { Prepared } from './prepare.ts'

/** In whose form models are exported. */
const scviTools = '1.4.3'

export interface PhaseHistory {
  name: string
  history: EpochRecord[]
  rollbacks: number
}

export function phaseHistory(name: string, { state }: FittedNetwork): PhaseHistory {
  return { name, history: state.history, rollbacks: state.rollbacks }
}

/** @param of.rows number of each training cell among all cells of the atlas; of.counts the matrix that was learnt from: 'layers/counts' */
export function referenceModel(
  trained: readonly TrainedPhase[],
  {
    prepared,
    settings,
    rows,
    counts,
  }: { prepared: Prepared; settings: FitReferenceSettings; rows: Int32Array; counts: string },
): ScviModel {
  const { task, fitted } = trained.at(-1)!
  const { modelGenes, batch, categorical, labels } = prepared
  const weights = joinWeights(fitted.weights)
  const rowsOf = (cells: Int32Array) => Int32Array.from(cells, (cell) => rows[cell]!)
  const common = {
    weights,
    batchesTracked: stepsOf(weights.keys(), trained),
    genes: modelGenes,
    setup: {
      layer: layerOf(counts, settings.binning),
      batch,
      categorical,
      continuous: settings.continuous_covariate_keys,
      labels: labels ?? noLabels,
    },
    training: {
      cells: rows.length,
      isTrained: true,
      trainIndices: rowsOf(fitted.split.train),
      validationIndices: rowsOf(fitted.split.validation),
      history: historyOf(fitted.state.history),
    },
    version: scviTools,
    decoder: 'computed' as const,
  }
  if (task.kind === 'scvi') return { ...common, kind: 'scvi', shape: task.shape }
  return {
    ...common,
    kind: 'scanvi',
    shape: task.shape,
    unlabelled: settings.unlabeled_category,
    hasSoftmaxWithin: false,
  }
}

/** Where scvi-tools is to find what the model learnt from; bins lie where scPDAC puts them. */
function layerOf(counts: string, bins: number): string | null {
  if (bins > 0) return 'binned_data'
  return counts.startsWith('layers/') ? counts.slice('layers/'.length) : null
}

/** What scvi-tools makes of a missing labels_key: one category for all cells. */
const noLabels: CategoryColumn = { column: null, categories: ['0'], type: 'integer' }

/** How many minibatches batch normalisations have seen: nothing is computed with it, but scvi-tools keeps it. */
function stepsOf(names: Iterable<string>, trained: readonly TrainedPhase[]): Map<string, number> {
  const steps = trained.reduce((sum, { fitted }) => sum + stepsDone(fitted), 0)
  return new Map(
    [...names]
      .filter((name) => name.endsWith('.running_var'))
      .map((name) => [name.replace(/running_var$/, 'num_batches_tracked'), steps]),
  )
}

function stepsDone({ state }: FittedNetwork): number {
  const [steps] = Object.entries(state.carried).find(([name]) => name === 'steps-before')?.[1] ?? []
  return Math.round(steps ?? state.history.length)
}

export async function storedModel(
  { road, job }: FitReferenceContext,
  {
    trained,
    model,
    prepared,
    heldOut,
    reference,
  }: {
    trained: readonly TrainedPhase[]
    model: ScviModel
    prepared: Prepared
    heldOut: HeldOut
    reference: ReferenceCells | undefined
  },
): Promise<NetworkModel> {
  const { settings, inputs, labels } = road
  const { pin, facts } = inputs[0]!
  const ids = await detectGeneIds(prepared.modelGenes)
  const epochs = trained.reduce((sum, { fitted }) => sum + fitted.state.history.length, 0)
  const terms = Object.entries(labels).flatMap(([label, { id, name, tier }]) =>
    id === null ? [] : [[label, { id, name: name ?? id, tier }] as const],
  )
  const made: NetworkFacts = {
    name: settings.name,
    version: '1',
    organism: settings.organism ?? facts.inspection.species ?? ids.species ?? 'unknown',
    geneIds: ids.type === 'ensembl' ? 'ensembl' : 'symbol',
    ontology: new Map(terms),
    bins: settings.binning === 0 ? null : { count: settings.binning },
    evaluation: evaluationOf(heldOut),
    training: {
      epochs,
      settings: recordOf(settings),
      versions: { [product.name.toLowerCase()]: product.version, node: process.version.slice(1) },
      sources: [{ name: nameOf(pin.key), etag: pin.etag, cells: prepared.taking }],
    },
    licence: '',
    source: nameOf(pin.key),
    details: `${model.kind === 'scanvi' ? 'SCANVI' : 'SCVI'} of ${prepared.taking} cells, ${prepared.modelGenes.length} genes and ${prepared.batch.categories.length} batches`,
    created: job.created,
  }
  return makeNetworkModel(made, model, reference === undefined ? {} : { reference })
}

const nameOf = (key: string) => key.slice(key.lastIndexOf('/') + 1)

function evaluationOf({ cells, elbo, labels }: HeldOut): Record<string, number> | null {
  const found = {
    validationCells: cells,
    validationElbo: elbo,
    heldOutLabelled: labels?.cells ?? null,
    heldOutAccuracy: labels?.accuracy ?? null,
    heldOutMacroF1: labels?.macroF1 ?? null,
  }
  if (cells === 0) return null
  const known = Object.entries(found).filter((entry): entry is [string, number] => entry[1] !== null)
  return Object.fromEntries(known)
}
