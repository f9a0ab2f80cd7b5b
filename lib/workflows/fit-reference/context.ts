import type { FitReferenceSettings } from '../../job/settings/fit-reference.ts'
import type { StepContext } from '../workflow.ts'

export type FitReferenceContext = StepContext<FitReferenceSettings>
