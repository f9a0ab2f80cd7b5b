import { BadInput } from '../../job/errors.ts'
import type { InputFacts } from '../workflow.ts'

/** A model of counts learns from counts and is given counts; logs are something else. @throws BadInput COUNTS_NEEDED */
export function requireCounts({
  inspection,
  counts: { matrix, from },
}: Pick<InputFacts, 'inspection' | 'counts'>): void {
  if (from === 'counts') return
  throw new BadInput(
    'COUNTS_NEEDED',
    `${inspection.place}:/${matrix}`,
    'these are logs, and the model is one of raw counts',
    'Put the raw counts into X, raw.X or layers["counts"], or name their layer in counts_layer; leave out prefer and unsafe_force',
  )
}
