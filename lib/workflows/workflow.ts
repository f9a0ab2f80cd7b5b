/**
 * What a workflow is: one method for each state of the road that differs between workflows. The road itself (pinning inputs, keys of
 * steps, retries, failures) is the same for all and lives in road/.
 */
import type { ErrorReport } from '../job/errors.ts'
import type { Settings } from '../job/manifest.ts'
import type { BatchState, InputPin, Start } from '../job/road.ts'
import type { Step } from '../job/steps.ts'
import type { Stores } from '../job/stores.ts'
import type { GenePlan } from '../knowledge/gene-plan.ts'
import type { ChosenCounts } from '../prep/choose-counts.ts'
import type { Inspection } from '../prep/inspect-dataset.ts'

/** What InspectInput writes of one input. */
export interface InputFacts {
  pin: InputPin
  inspection: Inspection
  counts: ChosenCounts
  notices: ErrorReport[]
}

/** A label of the model with its Cell Ontology term, as MatchOntology writes it. */
export interface LabelTerm {
  id: string | null
  name: string | null
  tier: string
  candidates: { id: string; name: string; score: number }[]
}

/** All that the Batch steps go by; its hash is part of their keys, so it holds nothing of the one job it was made for. */
export interface Road {
  workflow: Settings['workflow']
  settings: Settings
  inputs: { pin: InputPin; facts: InputFacts }[]
  /** content id of the model */
  model: string
  /** key of the gene plan in the work store */
  genes: string
  labels: Record<string, LabelTerm>
  shards: number
  notices: ErrorReport[]
  expected: { minutes: number; dollars: number | null }
}

/** The job that a step runs for; only Publish looks at it. */
export type JobIdentity = Omit<Start, 'upload'> & { name: string }

export interface StepContext {
  road: Road
  stores: Stores
  job: JobIdentity
  /** a folder of this process's own, empty at the start and removed at the end */
  scratch: string
  /** the step's own outputs */
  step: Step
  /** a step before this one; `part` for one shard of Embed */
  before(state: BatchState, part?: number): Step
  genePlan(): Promise<GenePlan>
  /** of an array job */
  shard: number
  signal: AbortSignal
  progress(done: number, total: number, unit: string, note: string): void
  /** milliseconds, for durations */
  clock(): number
}

/** What a step leaves in its record: small facts and notices. */
export interface StepResult {
  value: unknown
  notices: ErrorReport[]
}

/** What Lambdas need of a workflow: light, so that their bundles are. */
export interface WorkflowRules {
  /** the settings that name inputs, with what they name */
  inputs(settings: Settings): { role: string; location: string }[]
  /** problems that can be seen before it is asked where the counts are; called by InspectInput */
  check(inspection: Inspection, settings: Settings): void
  trains(settings: Settings): boolean
}

/** What a Batch step does, loaded by the process that does it and by no other. */
export type StepMethod = (context: StepContext) => Promise<StepResult>
export type Workflow = Record<BatchState, () => Promise<StepMethod>>
