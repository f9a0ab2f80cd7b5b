import { makeHandler } from '../../lib/workflows/road/lambda.ts'
import { validateJob } from '../../lib/workflows/road/validate-job.ts'

export const handler = makeHandler(validateJob)
