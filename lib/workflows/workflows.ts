/** The Batch steps of every workflow. A step loads what it needs: a process that scores needs no canvas, one that draws no models. */
import type { WorkflowName } from '../job/manifest.ts'
import type { Workflow } from './workflow.ts'

/**
 * `annotate`: CELLxGENE Annotate's promise (labels, uncertainty, a place in the space of the reference, a map) with linear models as
 * CellTypist trains them. Nothing is trained here.
 */
const annotate: Workflow = {
  Prepare: async () => (await import('./annotate/prepare.ts')).prepare,
  Fit: async () => async () => {
    throw new Error('annotate with a linear model trains nothing')
  },
  Embed: async () => (await import('./annotate/embed.ts')).embed,
  Label: async () => (await import('./annotate/label.ts')).label,
  Publish: async () => (await import('./annotate/publish.ts')).publish,
}

export const workflows: Record<WorkflowName, Workflow> = { annotate }
