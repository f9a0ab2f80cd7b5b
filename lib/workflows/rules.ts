/** The rules of every workflow, for Lambdas; their methods are in workflows.ts. */
import type { Settings, SettingsOf, WorkflowName } from '../job/manifest.ts'
import type { AfterPrepare } from '../job/road.ts'
import { acquireRules } from './acquire/rules.ts'
import { annotateRules } from './annotate/rules.ts'
import { fitReferenceRules } from './fit-reference/rules.ts'
import { mapAtlasRules } from './map-atlas/rules.ts'
import { typeCellsRules } from './type-cells/rules.ts'
import type { WorkflowRules } from './workflow.ts'

const rules: { [Name in WorkflowName]: WorkflowRules<SettingsOf<Name>> } = {
  annotate: annotateRules,
  'type-cells': typeCellsRules,
  'fit-reference': fitReferenceRules,
  'map-atlas': mapAtlasRules,
  acquire: acquireRules,
}

/** Those of a job's workflow; they are for its settings and for no others. */
export function rulesOf<Of extends Settings>({ workflow }: Of): WorkflowRules<Of> {
  return rules[workflow] as unknown as WorkflowRules<Of>
}

/** Where the road goes on after Prepare. */
export function afterPrepareOf(settings: Settings): AfterPrepare {
  const { afterPrepare } = rulesOf(settings)
  return typeof afterPrepare === 'function' ? afterPrepare(settings) : afterPrepare
}
