import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import type { StepContext } from '../workflow.ts'

export type AnnotateContext = StepContext<AnnotateSettings>
