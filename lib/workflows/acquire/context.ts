import type { AcquireSettings } from '../../job/settings/acquire.ts'
import type { StepContext } from '../workflow.ts'
import { type Output, outputOf } from './output.ts'

export type AcquireContext = StepContext<AcquireSettings>

export function environmentOf({ stores }: Pick<AcquireContext, 'stores'>) {
  return stores.environment ?? process.env
}

export function outputFor(context: AcquireContext): Promise<Output> {
  const { road, stores, job } = context
  const { references } = stores
  return outputOf(road.settings, { references, environment: environmentOf(context), name: job.name })
}
