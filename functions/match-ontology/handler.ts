import { makeHandler } from '../../lib/workflows/road/lambda.ts'
import { matchOntology } from '../../lib/workflows/road/match-ontology.ts'

export const handler = makeHandler(matchOntology)
