import { makeHandler } from '../../lib/workflows/road/lambda.ts'
import { mapGenes } from '../../lib/workflows/road/map-genes.ts'

export const handler = makeHandler(mapGenes)
