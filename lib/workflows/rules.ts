/** The rules of every workflow, for Lambdas; their methods are in workflows.ts. */
import type { WorkflowName } from '../job/manifest.ts'
import { annotateRules } from './annotate/rules.ts'
import type { WorkflowRules } from './workflow.ts'

export const rules: Record<WorkflowName, WorkflowRules> = { annotate: annotateRules }
