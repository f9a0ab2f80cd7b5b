import { makeHandler } from '../../lib/workflows/road/lambda.ts'
import { retryElsewhere } from '../../lib/workflows/road/retry-elsewhere.ts'

export const handler = makeHandler(retryElsewhere)
