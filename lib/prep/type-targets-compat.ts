/**
 * Cells of each type as SpatialCore (0.3) decides them: shares of a total that is guessed, shares rounded down, and again with the total
 * that comes of it, until it stays. Where all types have a share it starts from 0 and ends little above the floor; so does this.
 */
import { BadInput } from '../job/errors.ts'
import type { Proportions, TypeCells } from './proportion-check.ts'
import { proportionSlack, sumOf } from './proportion-check.ts'

const mostRounds = 50

/** @throws BadInput PROPORTIONS_NO_ROOM, PROPORTIONS_UNSETTLED */
export function compatTargets(
  types: readonly TypeCells[],
  options: { max: number; min: number; proportions: Proportions; place: string },
): Int32Array {
  const { max, min, proportions, place } = options
  const targets = Int32Array.from(types, ({ cells }) => (cells <= min ? cells : Math.min(max, cells)))
  const varied = types.flatMap(({ name, cells }, type) => {
    const share = proportions.get(name)
    return share === undefined || cells <= min ? [] : [{ type, share, cells }]
  })
  if (varied.length === 0) return targets
  const fixed = varied.reduce((sum, { type }) => sum - targets[type]!, sumOf(targets))
  const share = sumOf(varied.map((part) => part.share))
  if (share >= 1 - proportionSlack && fixed > 0) throw noRoom(fixed, place)
  const isGuessable = share > proportionSlack && 1 - share > proportionSlack
  let total = isGuessable ? Math.max(fixed, roundHalfEven(fixed / (1 - share))) : fixed
  for (let round = 0; round < mostRounds; round++) {
    for (const part of varied)
      targets[part.type] = Math.min(part.cells, Math.max(min, Math.floor(part.share * total)))
    const reached = sumOf(targets)
    if (reached === total) return targets
    total = reached
  }
  throw new BadInput(
    'PROPORTIONS_UNSETTLED',
    place,
    `the target proportions lead to no fixed number of cells within ${mostRounds} rounds`,
    'Set "rounding" to "exact", which finds it, or change the proportions',
  )
}

function noRoom(fixed: number, place: string): BadInput {
  return new BadInput(
    'PROPORTIONS_NO_ROOM',
    place,
    `the target proportions leave no room for ${fixed} cells of types with no more than the least number`,
    'Lower the proportions or "min_cells_per_type", or set "rounding" to "exact"',
  )
}

/** As Python rounds. */
function roundHalfEven(value: number): number {
  const down = Math.floor(value)
  const rest = value - down
  return rest === 0.5 ? down + (down % 2) : Math.round(value)
}
