import { inspectInput } from '../../lib/workflows/road/inspect-input.ts'
import { makeHandler } from '../../lib/workflows/road/lambda.ts'

export const handler = makeHandler(inspectInput)
