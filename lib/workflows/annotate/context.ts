import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import type { StepContext } from '../workflow.ts'

export type AnnotateContext = StepContext<AnnotateSettings>

/** Content id of the model that the job names. */
export function modelOf({ road }: AnnotateContext): string {
  if (road.model === null) throw new Error('annotate without a model')
  return road.model
}
