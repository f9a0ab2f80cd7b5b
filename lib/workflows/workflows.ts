/** Every workflow by its name. */
import type { WorkflowName } from '../job/manifest.ts'
import { annotate } from './annotate/annotate.ts'
import type { Workflow } from './workflow.ts'

export const workflows: Record<WorkflowName, Workflow> = { annotate }
