/** What is remarked on cells that take no part in a network's work (count-shards.ts). */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { leftOutReasons } from './count-shards.ts'

/** Cells that take no part, by reason. */
export function reasonsOf(leftOut: Uint8Array): Record<string, number> {
  const counts = new Map<string, number>()
  for (const reason of leftOut)
    if (reason > 0) counts.set(leftOutReasons[reason]!, (counts.get(leftOutReasons[reason]!) ?? 0) + 1)
  return Object.fromEntries(counts)
}

export function leftOutNotice(reasons: Record<string, number>, place: string): ErrorReport[] {
  const told = Object.entries(reasons).map(([reason, cells]) => `${cells} with ${reason}`)
  if (told.length === 0) return []
  return [
    {
      code: 'CELLS_LEFT_OUT',
      place,
      problem: `cells that take no part, and get neither place nor label: ${told.join(', ')}`,
      remedy: 'Give every cell its batch, and take cells without counts out first',
    },
  ]
}

/** @throws BadInput CELLS_NONE_LEFT */
export function refuseNone(leftOut: Uint8Array, place: string): void {
  if (leftOut.includes(0)) return
  throw new BadInput(
    'CELLS_NONE_LEFT',
    place,
    'no cell can be placed: none has counts on the genes of the model, a batch and its covariates',
    'Look at the batch column and at how the genes are called',
  )
}
