/**
 * What travels along the road: the state of one execution of the state machine. It carries names and keys, never data: a Step
 * Functions state may hold 256 KiB. Each Lambda takes the whole state and hands it on with its part added.
 */
import type { ErrorReport } from './errors.ts'
import type { WorkflowName } from './manifest.ts'

/** The object whose arrival began the job: a file of cells, or a job file. It lies in the inbox. */
export interface Upload {
  key: string
  etag: string
  versionId?: string
  size: number
}

export interface Start {
  jobId: string
  /** 1, unless the user asked for the job to be run again */
  attempt: number
  /** ISO 8601, when the upload came: the one clock reading that results carry */
  created: string
  upload: Upload
  /** prefix of the results in the outbox: '' or ending in '/' */
  output: string
}

/** An input whose content is fixed from here on. */
export interface InputPin {
  /** the setting that named it: 'query' */
  role: string
  /** 'inbox', or the place of another store */
  place: string
  key: string
  /** the query of a web address, often a secret: needed to read, and never part of a result, report or message */
  access?: string
  etag: string
  versionId?: string
  /** bytes */
  size: number
  /** a zarr or MTX folder: the etag stands for all that is in it */
  folder?: true
}

/** A small file of facts that a setting names, as it was when the job began. */
export interface Document {
  /** as the setting has it, for messages */
  place: string
  /** its bytes: what a spreadsheet saves need not be UTF-8 */
  base64: string
}

/** ValidateJob's part; the settings themselves lie at `key` in the work store. */
export interface JobPart {
  workflow: WorkflowName
  name: string
  key: string
  inputs: InputPin[]
  /** what the notification of success says */
  announcement: { jobId: string; results: string }
}

/** One input as InspectInput saw it; the facts lie at `key` in the work store. */
export interface FactsPart {
  role: string
  key: string
}

export type BatchState = 'Prepare' | 'Fit' | 'Embed' | 'Label' | 'Publish'

/** Where a job goes on after Prepare: what trains, what only labels, and what has nothing to label. */
export type AfterPrepare = Extract<BatchState, 'Fit' | 'Embed' | 'Publish'>

export interface StepPlan {
  /** name or ARN of a job queue */
  queue: string
  resources: { Type: 'VCPU' | 'MEMORY' | 'GPU'; Value: string }[]
}

export interface PlanPart {
  /** key of the road file in the work store: all that the Batch steps need, named by its content */
  road: string
  afterPrepare: AfterPrepare
  /** at least 2, the smallest array job */
  shards: number
  steps: Record<BatchState, StepPlan>
  /** null where nothing is known of it before */
  expected: { minutes: number | null; dollars: number | null }
  /** how often RetryElsewhere has sent a step back */
  retries: number
}

export interface RoadState {
  start: Start
  job?: JobPart
  facts?: FactsPart[]
  genes?: { key: string }
  ontology?: { key: string }
  plan?: PlanPart
  error?: { Error?: string; Cause?: string }
  failure?: ErrorReport
  retry?: { state: BatchState | 'none' }
}

/** What InspectInput is handed for one item of the Map. */
export interface InspectState {
  start: Start
  job: JobPart
  input: InputPin
}
