/**
 * Which state may do what in which store, by key prefix: what its code calls and nothing else. Roles are made from this table, and a test
 * runs the states over S3's protocol and compares every request with it.
 *
 * `read` is GET and HEAD of objects and versions; a state that reads a store may also list it, because S3 answers 403 and not 404 for an
 * absent object to those who may not. `write` includes reading the same keys: every write is confirmed by HEAD.
 */
import type { BatchState } from '../job/road.ts'

export type StoreName = 'inbox' | 'work' | 'models' | 'references' | 'outbox'

export interface StoreAccess {
  read?: readonly string[]
  write?: readonly string[]
  remove?: readonly string[]
}

export type Access = Partial<Record<StoreName, StoreAccess>>

export const functionStates = [
  'ValidateJob',
  'InspectInput',
  'MapGenes',
  'MatchOntology',
  'PlanCompute',
  'RetryElsewhere',
  'ReportFailure',
] as const
export const batchStates = [
  'Prepare',
  'Fit',
  'Embed',
  'Label',
  'Publish',
] as const satisfies readonly BatchState[]

export type FunctionState = (typeof functionStates)[number]

/** Those that open inputs, which may lie in the places that the installation's sources name. */
export const sourceReaders: ReadonlySet<string> = new Set([
  'ValidateJob',
  'InspectInput',
  'Prepare',
  'Publish',
] satisfies (FunctionState | BatchState)[])

/** Those that ask Synapse, and are handed its token where the installation has one. */
export const synapseReaders: ReadonlySet<string> = new Set(['Prepare', 'Publish'] satisfies BatchState[])

/** Where uploads that are jobs, and their inputs, lie; anything else in the inbox is not looked at. */
const uploads: StoreAccess = { read: ['annotate/*', 'jobs/*'] }
const anyModel: StoreAccess = { read: ['*'] }
const anyReference: StoreAccess = { read: ['*'] }
const results: StoreAccess = { write: ['jobs/*'] }
const done = ['jobs/*', 'roads/*', 'steps/*'] as const
const failures = 'jobs/*/failures/*'

const batchStep = (state: BatchState, ...besides: string[]): StoreAccess => ({
  read: done,
  write: [`steps/${state}/*`, failures, ...besides],
})
const functionStep = (state: FunctionState): StoreAccess => ({ read: done, write: [`steps/${state}/*`] })

export const access: Record<FunctionState | BatchState, Access> = {
  ValidateJob: { inbox: uploads, models: anyModel, references: anyReference, work: { write: ['jobs/*'] } },
  InspectInput: { inbox: uploads, references: anyReference, work: functionStep('InspectInput') },
  MapGenes: { models: anyModel, work: functionStep('MapGenes') },
  MatchOntology: { models: anyModel, work: functionStep('MatchOntology') },
  PlanCompute: { models: anyModel, work: { read: done, write: ['roads/*'] } },
  RetryElsewhere: { work: { read: done, remove: [failures] } },
  ReportFailure: { work: { read: done }, outbox: results },
  Prepare: { inbox: uploads, references: anyReference, work: batchStep('Prepare') },
  Fit: { models: { write: ['*'] }, work: batchStep('Fit') },
  Embed: { models: anyModel, work: batchStep('Embed') },
  Label: { models: anyModel, work: batchStep('Label') },
  Publish: {
    inbox: uploads,
    models: anyModel,
    references: { write: ['*'] },
    work: batchStep('Publish', 'jobs/*/publishing.json'),
    // an attempt that was taken up again leaves no word of its failure, and nothing of another version, beside its result
    outbox: {
      ...results,
      remove: [
        ...['error.json', 'report.html', 'umap.png', 'predictions.csv', 'training_cells.csv'],
        ...[
          '*.annotated.h5ad',
          'training.h5ad',
          'celltyping_*',
          'ontology_review.csv',
          'cells_by_label.csv',
          'datasets.csv',
          '*.pkl',
          '*_celltypist.json',
          '*_colors.json',
        ],
      ].map((name) => `jobs/*/${name}`),
    },
  },
}

/** A person or program that submits jobs and fetches results; references are listed and looked at. */
export const userAccess: Access = {
  inbox: { write: ['annotate/*', 'jobs/*'] },
  references: { read: ['*'] },
  outbox: { read: ['jobs/*'] },
}
/** Who looks after models. */
export const modelKeeperAccess: Access = { models: { write: ['*'] } }
