import { BadInput } from '../../job/errors.ts'
import type { Inspection } from '../../prep/inspect-dataset.ts'

/** @throws BadInput BATCH_COLUMN */
export function requireBatchColumn(
  { obs, place }: Inspection,
  { wanted, otherwise }: { wanted: string; otherwise: string },
): void {
  if (obs.some(({ name }) => name === wanted)) return
  const there = obs.map(({ name }) => name)
  const shown = there.length === 0 ? 'obs has no columns' : `obs has: ${there.slice(0, 50).join(', ')}`
  throw new BadInput(
    'BATCH_COLUMN',
    `${place}:/obs`,
    `there is no column "${wanted}" with the batch of each cell; ${shown}`,
    `Name the column with the sample or batch of each cell in batch_key; ${otherwise}`,
  )
}
