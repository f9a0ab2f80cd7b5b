/** What MapGenes and MatchOntology hand to the part of them that is a workflow's own. */
import type { ErrorReport } from '../job/errors.ts'
import type { Settings } from '../job/manifest.ts'
import type { Document } from '../job/road.ts'
import type { ObjectStore } from '../job/store.ts'
import type { GeneNames } from './road/facts.ts'
import type { GeneMaps, InputFacts, LabelTerm } from './workflow.ts'

export interface MapRequest<Of extends Settings = Settings> {
  settings: Of
  /** as the rules list them, the query first */
  inputs: { role: string; facts: InputFacts; candidates: GeneNames[] }[]
  documents: Record<string, Document>
  models: ObjectStore
  /** content ids of the models that the job names */
  modelIds: string[]
}

export interface TermRequest<Of extends Settings = Settings> {
  settings: Of
  inputs: { role: string; facts: InputFacts }[]
  documents: Record<string, Document>
  models: ObjectStore
  modelIds: string[]
}

export type GeneMapMaker<Of extends Settings> = (
  request: MapRequest<Of>,
) => Promise<{ maps: GeneMaps; notices: ErrorReport[] }>

export type TermMaker<Of extends Settings> = (
  request: TermRequest<Of>,
) => Promise<{ labels: Record<string, LabelTerm>; notices: ErrorReport[] }>
