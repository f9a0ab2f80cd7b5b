/**
 * How a network gets the cells it works on: as they are, or, within a loop over steps, the part of this step of what was fed for all steps of
 * the run. A group is what is counted together: cells, their entries, labelled cells. For each a loop is fed `GROUP from`, the place of
 * each step's first and of the end of its last.
 */
import { type Expression, input } from './expression.ts'
import { add, multiply, unsqueeze } from './operations/arithmetic.ts'
import { sliceRows } from './operations/places.ts'
import type { ElementType } from './tensor.ts'

export interface FeedSpec {
  type: ElementType
  group: string
  /** rows for each member of the group; 1 when absent */
  each?: number
  /** columns; none when absent */
  width?: number
}

export interface Feeds {
  /** [members x each] or [members x each, width] */
  take(name: string, spec: FeedSpec): Expression
  /** all that was taken */
  readonly taken: ReadonlyMap<string, FeedSpec>
}

/** The word for the rows of a group. */
export function lengthOf({ group, each = 1 }: Pick<FeedSpec, 'group' | 'each'>): string {
  return each === 1 ? group : `${each} ${group}`
}

export function wholeFeeds(): Feeds {
  return feedsBy((name, spec) => input(name, { type: spec.type, shape: shapeOf(spec, lengthOf(spec)) }))
}

/** @param step number of the step within the run, whole, [] */
export function feedsOfStep(step: Expression): Feeds {
  const first = unsqueeze(step, [0])
  const places = new Map<string, [Expression, Expression]>()
  const placesOf = (group: string): [Expression, Expression] => {
    const there = places.get(group)
    if (there !== undefined) return there
    const starts = input(`${group} from`, { type: 'int64', shape: [`steps and one, ${group}`] })
    const at = (from: Expression) => sliceRows(starts, { from, to: add(from, 1), length: 1 })
    const made: [Expression, Expression] = [at(first), at(add(first, 1))]
    places.set(group, made)
    return made
  }
  return feedsBy((name, spec) => {
    const { type, group, each = 1 } = spec
    const all = input(name, { type, shape: shapeOf(spec, `all ${lengthOf(spec)}`) })
    const [from, to] = placesOf(group).map((place) => (each === 1 ? place : multiply(place, each)))
    return sliceRows(all, { from: from!, to: to!, length: lengthOf(spec) })
  })
}

function feedsBy(make: (name: string, spec: FeedSpec) => Expression): Feeds {
  const taken = new Map<string, FeedSpec>()
  const expressions = new Map<string, Expression>()
  return {
    taken,
    take(name, spec) {
      const there = expressions.get(name)
      if (there !== undefined) return there
      const made = make(name, spec)
      taken.set(name, spec)
      expressions.set(name, made)
      return made
    },
  }
}

function shapeOf({ width }: FeedSpec, rows: string): (string | number)[] {
  return width === undefined ? [rows] : [rows, width]
}
