/**
 * What a workflow is: one method for each state of the road that differs between workflows. The road itself (pinning inputs, keys of
 * steps, retries, failures) is the same for all and lives in road/; what several workflows are made of lives in parts/.
 */
import type { ErrorReport } from '../job/errors.ts'
import type { Settings, SettingsOf } from '../job/manifest.ts'
import type { AfterPrepare, BatchState, Document, InputPin, PlanPart, Start } from '../job/road.ts'
import type { Step } from '../job/steps.ts'
import type { Environment, Stores } from '../job/stores.ts'
import type { GenePlan } from '../knowledge/gene-plan.ts'
import type { LabelMatch } from '../knowledge/ontology-match.ts'
import type { ModelFamily } from '../models/stored-model.ts'
import type { ChosenCounts } from '../prep/choose-counts.ts'
import type { Inspection } from '../prep/inspect-dataset.ts'

/** What InspectInput writes of one input. */
export interface InputFacts {
  pin: InputPin
  inspection: Inspection
  counts: ChosenCounts
  /** of an input whose labels are learnt from */
  labels: LabelFacts | null
  notices: ErrorReport[]
}

/** A column of labels, counted. */
export interface LabelFacts {
  column: string
  cells: number
  /** cells without a label */
  missing: number
  labels: { label: string; cells: number; ids: [id: string, cells: number][] }[]
}

/** A label with its Cell Ontology term, as MatchOntology writes it. */
export type LabelTerm = Omit<LabelMatch, 'label'> & {
  /** why cells of this label are not learnt from, although it names a cell type */
  leftOut?: string
}

/** Which genes a job works over, and which gene of each input is which of them. */
export interface GeneMaps {
  /** names, where the job and not a model decides which they are */
  genes: string[] | null
  /** by role of the input; targets are numbers in `genes`, or of the first model's genes: then those of others have names of their own */
  plans: Record<string, GenePlan>
  /** that cells are scored by, in the order of the job; none where it names none */
  models: ModelGenes[]
}

/** What the genes of the query are to one model. */
export interface ModelGenes {
  /** content id */
  id: string
  /** name of its plan among `plans` */
  plan: string
  /** what it wants cells to be scaled over; all that was measured when absent */
  scaledOver?: 'genes'
  /** it is a scVI or SCANVI, and takes counts */
  isNetwork?: true
}

/** All that the Batch steps go by; its hash is part of their keys, so it holds nothing of the one job it was made for. */
export interface Road<Of extends Settings = Settings> {
  workflow: Of['workflow']
  settings: Of
  inputs: { pin: InputPin; facts: InputFacts }[]
  /** small files that settings name, by setting */
  documents: Record<string, Document>
  /** content ids of the models that the job names; none where it names none */
  models: string[]
  /** key of the gene maps in the work store */
  genes: string
  labels: Record<string, LabelTerm>
  shards: number
  notices: ErrorReport[]
  expected: PlanPart['expected']
}

/** The job that a step runs for; steps that are shared by several jobs do not look at it. */
export type JobIdentity = Omit<Start, 'upload'> & { name: string }

export interface StepContext<Of extends Settings = Settings> {
  road: Road<Of>
  stores: Stores
  job: JobIdentity
  /** a folder of this process's own, empty at the start and removed at the end */
  scratch: string
  /** the step's own outputs */
  step: Step
  /** a step before this one; `part` for one shard of Embed */
  before(state: BatchState, part?: number): Step
  geneMaps(): Promise<GeneMaps>
  /** of an array job */
  shard: number
  signal: AbortSignal
  progress(done: number, total: number, unit: string, note: string): void
  /** milliseconds, for durations */
  clock(): number
}

/** Of workflows that score the cells of a query with linear models. */
export type CellsContext = StepContext<SettingsOf<'annotate' | 'type-cells'>>

/** What a step leaves in its record: small facts and notices. */
export interface StepResult {
  value: unknown
  notices: ErrorReport[]
}

/** Models as a job names them. */
export interface NamedModels {
  /** names or ids; none for the installation's own */
  names: readonly string[]
  /** whether those that the store has will do: what it lacks is told, and left out */
  mayLack: boolean
  /** of what kind they must be; of any when absent */
  family?: ModelFamily
  /** of what kind there may be one, and then no other: what it says of a cell cannot be compared with what others say */
  alone?: ModelFamily
  notices: ErrorReport[]
}

/** What Lambdas need of a workflow: light, so that their bundles are. */
export interface WorkflowRules<Of extends Settings = Settings> {
  /** the settings that name inputs, with what they name; the query is the first */
  inputs(settings: Of): { role: string; location: string }[]
  /** the settings that name small files of facts */
  documents(settings: Of): { role: string; location: string }[]
  /** other settings that name files, relative to the job file: the steps look them up or write them themselves */
  places(settings: Of): { role: string; location: string }[]
  /** settings with their locations replaced, `given` being as `inputs`, then `documents` and then `places` list them */
  relocated(settings: Of, given: readonly string[]): Of
  /** the models that the job names; null where it takes none */
  models(settings: Of): NamedModels | null
  /** the obs columns of an input that hold labels to learn from, and their Cell Ontology ids; null for other inputs */
  labelColumns(settings: Of, role: string): { labels: string; ids: string } | null
  /** problems that can be seen before it is asked where the counts are; called by InspectInput */
  check(
    input: { role: string; inspection: Inspection; labels: LabelFacts | null },
    settings: Of,
  ): ErrorReport[]
  /** whether this installation may read and write what the job names besides its inputs; called by ValidateJob */
  admit?(settings: Of, installation: { stores: Stores; environment: Environment }): Promise<void>
  /** where the job goes on after Prepare; some go by their settings */
  afterPrepare: AfterPrepare | ((settings: Of) => AfterPrepare)
  /** whether the result of another job in the same place gives way, whatever that is */
  overwrites(settings: Of): boolean
  /** whether this one does: of an earlier job to the same end */
  succeeds?(settings: Of, result: { workflow?: unknown; summary?: unknown }): boolean
  /** whether what an earlier run of the same job left is still what the job is for; always, when absent */
  isCurrent?(settings: Of, summary: unknown, environment: Environment): Promise<boolean>
}

/** What a Batch step does, loaded by the process that does it and by no other. */
export type StepMethod<Of extends Settings = Settings> = (context: StepContext<Of>) => Promise<StepResult>
export type Workflow<Of extends Settings = Settings> = Record<BatchState, () => Promise<StepMethod<Of>>>
