import { makeHandler } from '../../lib/workflows/road/lambda.ts'
import { planCompute } from '../../lib/workflows/road/plan-compute.ts'

export const handler = makeHandler(planCompute)
