/**
 * Target proportions against the types there are: which errors forbid them, and what could not be met in the end. A proportion is a
 * share of the cells that come out, not of those that go in.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import { nearestFirst, shownName, shownNames } from './shown-names.ts'

/** One type with the cells there are of it. */
export interface TypeCells {
  name: string
  cells: number
}

export type Proportions = ReadonlyMap<string, number>

/** sums nearer than this to 1 are 1 */
export const proportionSlack = 1e-6

/** @throws BadInput PROPORTIONS_UNKNOWN, PROPORTIONS_RANGE, PROPORTIONS_SUM, PROPORTIONS_INCOMPLETE */
export function checkProportions(
  proportions: Proportions,
  { types, place }: { types: readonly TypeCells[]; place: string },
): void {
  checkRange(proportions, place)
  const names = types.map(({ name }) => name)
  checkKnown([...proportions.keys()], { names, place })
  const sum = sumOf(proportions.values())
  if (sum > 1 + proportionSlack) {
    const problem = `the target proportions sum to ${sum.toFixed(4)}, more than 1`
    throw new BadInput(
      'PROPORTIONS_SUM',
      place,
      problem,
      'Proportions are shares of all training cells: make them sum to at most 1',
    )
  }
  const others = names.filter((name) => !proportions.has(name))
  if (sum < 1 - proportionSlack || others.length === 0) return
  throw new BadInput(
    'PROPORTIONS_INCOMPLETE',
    place,
    `the target proportions sum to 1, but types are left without one: ${shownNames(others)}`,
    'Give all types a proportion, or lower those given',
  )
}

/** @throws BadInput PROPORTIONS_RANGE */
export function checkRange(proportions: Proportions, place: string): void {
  for (const [name, value] of proportions)
    if (!(value >= 0 && value <= 1)) {
      const problem = `the target proportion of ${shownName(name)} is ${value}, not a number from 0 to 1`
      throw new BadInput('PROPORTIONS_RANGE', place, problem, 'Proportions are shares: write 2 % as 0.02')
    }
}

/** @throws BadInput PROPORTIONS_UNKNOWN with the known names that are most like the unknown */
export function checkKnown(
  wanted: readonly string[],
  { names, place }: { names: readonly string[]; place: string },
): void {
  const known = new Set(names)
  const unknown = wanted.filter((name) => !known.has(name))
  if (unknown.length === 0) return
  const hints = unknown.slice(0, 5).map((name) => {
    const nearest = shownNames(nearestFirst(name, names).slice(0, 3))
    return unknown.length === 1 ? nearest : `for ${shownName(name)} ${nearest}`
  })
  throw new BadInput(
    'PROPORTIONS_UNKNOWN',
    place,
    `target proportions are given for types that no cell has: ${shownNames(unknown)}`,
    names.length === 0 ? 'There are no types' : `Nearest are ${hints.join('; ')}`,
  )
}

/** What came of the proportions, where it is not what they say: one notice for each way, naming the types. */
export function proportionNotices(
  targets: ArrayLike<number>,
  options: {
    types: readonly TypeCells[]
    proportions: Proportions
    /** what the proportions are shares of */
    total: number
    min: number
    place: string
    round: (cells: number) => number
  },
): ErrorReport[] {
  const { types, proportions, total, min, place, round } = options
  const said = {
    tooFew: [] as string[],
    floored: [] as string[],
    capped: [] as string[],
    gone: [] as string[],
  }
  for (const [i, { name, cells }] of types.entries()) {
    const share = proportions.get(name)
    if (share === undefined) continue
    const wanted = round(share * total)
    const told = `${shownName(name)} (${targets[i]} cells instead of ${wanted})`
    if (targets[i] === 0) said.gone.push(shownName(name))
    else if (targets[i] === wanted) continue
    else if (cells <= min) said.tooFew.push(told)
    else if (wanted < min) said.floored.push(told)
    else if (wanted > cells) said.capped.push(told)
  }
  const notice = (code: string, { why, list, remedy }: { why: string; list: string[]; remedy: string }) =>
    list.length === 0
      ? []
      : [{ code, place, problem: `target proportions are not met, as ${why}: ${first(list)}`, remedy }]
  return [
    ...notice('PROPORTIONS_TOO_FEW_CELLS', {
      why: `there are no more than ${min} cells ("min_cells_per_type")`,
      list: said.tooFew,
      remedy: 'All cells of these types are taken',
    }),
    ...notice('PROPORTIONS_FLOORED', {
      why: `each type keeps at least ${min} cells ("min_cells_per_type")`,
      list: said.floored,
      remedy: 'Lower "min_cells_per_type" where types may be rarer',
    }),
    ...notice('PROPORTIONS_CAPPED', {
      why: 'there are not as many cells',
      list: said.capped,
      remedy: 'All cells of these types are taken; a lower "max_cells_per_type" makes the others smaller',
    }),
    ...notice('PROPORTIONS_NO_CELL', {
      why: 'their shares are less than a cell, so that these types are not learnt',
      list: said.gone,
      remedy: 'Raise the proportions or "min_cells_per_type"',
    }),
  ]
}

export function sumOf(values: Iterable<number>): number {
  let sum = 0
  for (const value of values) sum += value
  return sum
}

function first(list: readonly string[]): string {
  return `${list.slice(0, 10).join(', ')}${list.length > 10 ? ` and ${list.length - 10} more` : ''}`
}
