import { makeHandler } from '../../lib/workflows/road/lambda.ts'
import { reportFailure } from '../../lib/workflows/road/report-failure.ts'

export const handler = makeHandler(reportFailure)
