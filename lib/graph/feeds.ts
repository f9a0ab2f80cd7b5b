/**
 * How a network gets the cells it works on. Either a minibatch is fed as it is. Or the cells lie whole in memory, as a block of which a minibatch
 * is some numbers: what the network takes of them is gathered inside the graph. Within a loop over steps, numbers and noise are those of
 * the step, cut from what was fed for all steps of the run. A group is what is counted together: cells, labelled cells. For each a loop is
 * fed `GROUP from`, the place of each step's first and of the end of its last.
 */
import { entriesOfRows } from './csr-rows.ts'
import { type Expression, input } from './expression.ts'
import { add, multiply, unsqueeze } from './operations/arithmetic.ts'
import { gatherRows, sliceRows } from './operations/places.ts'
import type { ElementType } from './tensor.ts'

export interface FeedSpec {
  type: ElementType
  group: string
  /** rows for each member of the group; 1 when absent */
  each?: number
  /** columns; none when absent */
  width?: number
}

/** The counts above zero of a minibatch. */
export interface CountEntries {
  /** cell x genes + gene, whole: [entries] */
  places: Expression
  /** whole: [entries] */
  genes: Expression
  /** [entries] */
  counts: Expression
}

export interface Feeds {
  /** what is made for a minibatch, such as noise: [members x each] or [members x each, width] */
  take(name: string, spec: FeedSpec): Expression
  /** what cells of a group are like: [members] or [members, width] */
  ofCells(part: string, spec: Omit<FeedSpec, 'each'>): Expression
  /** of cells over so many genes */
  entries(group: string, genes: number): CountEntries
  /** all that is fed for a minibatch, but for the numbers of its cells */
  readonly taken: ReadonlyMap<string, FeedSpec>
  /** groups of which the numbers of cells are fed, as `GROUP numbers` */
  readonly groups: ReadonlySet<string>
  /** parts of the block that the graph needs; the input is called `block PART` */
  readonly block: ReadonlySet<string>
}

/** The word for the rows of a group. */
export function lengthOf({ group, each = 1 }: Pick<FeedSpec, 'group' | 'each'>): string {
  return each === 1 ? group : `${each} ${group}`
}

/** Parts of the group 'cells' are fed by their own names, of others as `GROUP PART`. */
export function wholeFeeds(): Feeds {
  const taken = new Map<string, FeedSpec>()
  const take = (name: string, spec: FeedSpec) => {
    taken.set(name, spec)
    return whole(name, spec)
  }
  const named = (group: string, part: string) => (group === 'cells' ? part : `${group} ${part}`)
  return {
    take,
    ofCells: (part, spec) => take(named(spec.group, part), spec),
    entries(group) {
      const own = (part: string, type: ElementType) =>
        take(named(group, part), { type, group: named(group, 'entries') })
      return {
        places: own('places', 'int32'),
        genes: own('genes', 'int32'),
        counts: own('counts', 'float32'),
      }
    },
    taken,
    groups: new Set(),
    block: new Set(),
  }
}

export interface BlockOptions {
  /** number of the step within the run, whole, []; absent where the graph is of one minibatch */
  step?: Expression
  /** of places among all entries: int64 for more than 2^31 of them */
  places?: 'int32' | 'int64'
}

/** Minibatches of a block of cells: counts as CSR (`indptr`, `indices`, `counts`) and one row a cell of whatever else there is. */
export function blockFeeds({ step, places = 'int32' }: BlockOptions = {}): Feeds {
  const [taken, groups, block] = [new Map<string, FeedSpec>(), new Set<string>(), new Set<string>()]
  const fed = step === undefined ? whole : stepCutter(step)
  const part = (name: string, { type, shape }: Pick<Expression, 'type' | 'shape'>) => {
    block.add(name)
    return input(`block ${name}`, { type, shape })
  }
  const numbers = (group: string) => {
    groups.add(group)
    return fed(`${group} numbers`, { type: 'int32', group })
  }
  return {
    take(name, spec) {
      taken.set(name, spec)
      return fed(name, spec)
    },
    ofCells: (name, spec) =>
      gatherRows(part(name, { type: spec.type, shape: shapeOf(spec, 'all cells') }), numbers(spec.group)),
    entries(group, genes) {
      const matrix = {
        indptr: part('indptr', { type: places, shape: ['all cells and one'] }),
        indices: part('indices', { type: 'int32', shape: ['all entries'] }),
        values: part('counts', { type: 'float32', shape: ['all entries'] }),
        columns: genes,
      }
      const word = `entries of ${group}`
      const { columns, values, ...found } = entriesOfRows(matrix, { rows: numbers(group), word })
      return { ...found, genes: columns, counts: values }
    },
    taken,
    groups,
    block,
  }
}

function whole(name: string, spec: FeedSpec): Expression {
  return input(name, { type: spec.type, shape: shapeOf(spec, lengthOf(spec)) })
}

/** The step's own part of what is fed for all. */
function stepCutter(step: Expression): (name: string, spec: FeedSpec) => Expression {
  const first = unsqueeze(step, [0])
  return (name, spec) => {
    const { type, group, each = 1 } = spec
    const all = input(name, { type, shape: shapeOf(spec, `all ${lengthOf(spec)} of the run`) })
    const starts = input(`${group} from`, { type: 'int64', shape: [`steps and one, ${group}`] })
    const at = (from: Expression) => {
      const place = sliceRows(starts, { from, to: add(from, 1), length: 1 })
      return each === 1 ? place : multiply(place, each)
    }
    return sliceRows(all, { from: at(first), to: at(add(first, 1)), length: lengthOf(spec) })
  }
}

function shapeOf({ width }: FeedSpec, rows: string): (string | number)[] {
  return width === undefined ? [rows] : [rows, width]
}
