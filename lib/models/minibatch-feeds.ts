/**
 * Lays out what a graph is fed for some steps: the cells of each step one after another, their entries with places within their own
 * minibatch, and noise. One copy of the entries a step; for counts of a tenth of the genes some hundredths of the step's own time.
 *
 * The long ones, entries and noise, lie in memory that is used again: fresh memory costs as much as what is written to it. Trap: what was laid
 * out before is gone once the next is, so it must have run, or been copied, by then.
 */
import type { FeedSpec } from '../graph/feeds.ts'
import { int64, type Tensor } from '../graph/tensor.ts'
import { fillMask, normalNoise } from '../job/noise.ts'
import type { Random } from '../job/random.ts'
import { type FeedMemory, feedMemory } from './feed-memory.ts'
import type { Noise } from './network.ts'
import type { TrainingCells } from './training-cells.ts'

export interface FedGraph {
  feeds: ReadonlyMap<string, FeedSpec>
  noise: ReadonlyMap<string, Noise>
}

/** By group ('cells', 'labelled'), the cells of each step; all groups have as many steps. */
export type Batches = Readonly<Record<string, readonly Int32Array[]>>

export interface FeedMaker {
  /**
   * tensors by the names that the graph has for them; with `GROUP from` where it runs in a loop. They hold until the next call, which may
   * write over them.
   */
  feed(batches: Batches, random: Random): Record<string, Tensor>
}

export function feedMaker(graph: FedGraph, data: TrainingCells): FeedMaker {
  const fillNormal = normalNoise()
  const memory = feedMemory()
  return {
    feed(batches, random) {
      const tensors: Record<string, Tensor> = {}
      const sizes = sizesOf(batches, data)
      for (const [group, starts] of sizes) tensors[`${group} from`] = int64(starts)
      const parts = new Map(
        Object.entries(batches).map(([group, steps]) => {
          const stored = sizes.get(entriesOf(group))!.at(-1)!
          return [group, layOut(steps, { data, room: () => roomFor(stored, { memory, group }) })]
        }),
      )
      for (const [name, { group, each = 1, width, type }] of graph.feeds) {
        const rows = sizes.get(group)!.at(-1)! * each
        const shape = width === undefined ? [rows] : [rows, width]
        const noise = graph.noise.get(name)
        const values = noise === undefined ? undefined : rows * width!
        const filled =
          values === undefined
            ? parts.get(cellGroup(group))!(partOf(name, group))
            : noise === 'normal'
              ? memory.numbers(`noise ${name}`, values)
              : memory.bytes(`noise ${name}`, values)
        tensors[name] = { type, shape, data: filled }
      }
      drawNoise(tensors, { graph, sizes, random, fillNormal })
      return tensors
    },
  }
}

/**
 * Step after step, and within a step in the order of the names: what is drawn depends neither on how many steps a run has nor on how the
 * graph was put together.
 */
function drawNoise(
  tensors: Readonly<Record<string, Tensor>>,
  {
    graph: { feeds, noise },
    sizes,
    random,
    fillNormal,
  }: {
    graph: FedGraph
    sizes: ReadonlyMap<string, number[]>
    random: Random
    fillNormal: ReturnType<typeof normalNoise>
  },
): void {
  const names = [...noise.keys()].sort()
  const steps = (sizes.values().next().value?.length ?? 1) - 1
  for (let step = 0; step < steps; step++) {
    for (const name of names) {
      const { group, each = 1, width = 1 } = feeds.get(name)!
      const [from, to] = [sizes.get(group)![step]!, sizes.get(group)![step + 1]!]
      const rows = tensors[name]!.data.subarray(from * each * width, to * each * width)
      const kind = noise.get(name)!
      if (kind === 'normal') fillNormal(rows as Float32Array, random)
      else fillMask(rows as Uint8Array, { keep: kind.keep, from: random })
    }
  }
}

/** The other way round. */
function entriesOf(group: string): string {
  return group === 'cells' ? 'entries' : `${group} entries`
}

/** Entries belong to a group of cells: 'entries' to 'cells', 'labelled entries' to 'labelled'. */
function cellGroup(group: string): string {
  if (group === 'entries') return 'cells'
  return group.endsWith(' entries') ? group.slice(0, -' entries'.length) : group
}

/** 'labelled places' of group 'labelled entries' is part 'places'. */
function partOf(name: string, group: string): string {
  const prefix = `${cellGroup(group)} `
  return name.startsWith(prefix) ? name.slice(prefix.length) : name
}

/** By group, and by its entries, where each step's begin and the last one's end. */
function sizesOf(batches: Batches, { indptr }: TrainingCells): Map<string, number[]> {
  const sizes = new Map<string, number[]>()
  for (const [group, steps] of Object.entries(batches)) {
    const [cells, entries] = [[0], [0]]
    for (const step of steps) {
      let stored = 0
      for (const cell of step) stored += indptr[cell + 1]! - indptr[cell]!
      cells.push(cells.at(-1)! + step.length)
      entries.push(entries.at(-1)! + stored)
    }
    sizes.set(group, cells)
    sizes.set(entriesOf(group), entries)
  }
  return sizes
}

interface EntryRoom {
  places: Int32Array
  genes: Int32Array
  counts: Float32Array
}

function roomFor(stored: number, { memory, group }: { memory: FeedMemory; group: string }): EntryRoom {
  return {
    places: memory.integers(`places of ${group}`, stored),
    genes: memory.integers(`genes of ${group}`, stored),
    counts: memory.numbers(`counts of ${group}`, stored),
  }
}

/** By part, and no more of it than is asked for: a graph may take nothing of a group. */
function layOut(
  steps: readonly Int32Array[],
  { data, room }: { data: TrainingCells; room: () => EntryRoom },
): (part: string) => Float32Array | Int32Array {
  const cells = joined(steps)
  let entries: EntryRoom | undefined
  return (part) => {
    if (part === 'places' || part === 'genes' || part === 'counts') {
      entries ??= layOutEntries(steps, { data, into: room() })
      return entries[part]
    }
    if (part === 'library') return pick(new Float32Array(cells.length), { cells, from: data.library })
    if (part === 'continuous') return rowsOf(cells, data.continuous!, data.continuous!.length / data.cells)
    return pick(new Int32Array(cells.length), { cells, from: codesOf(part, data) })
  }
}

function codesOf(part: string, { labels, dispersions, categories, cells }: TrainingCells): Int32Array {
  if (part === 'labels') return dispersions ?? new Int32Array(cells).fill(-1)
  if (part === 'classes') return labels!
  const covariate = /^category (\d+)$/.exec(part)?.[1]
  if (covariate === undefined) throw new Error(`cells have no '${part}'`)
  return categories[Number(covariate)]!
}

/** By a plain loop: `from` with a function takes ten times as long. */
function pick<Values extends Float32Array | Int32Array>(
  into: Values,
  { cells, from }: { cells: Int32Array; from: Values },
): Values {
  for (let i = 0; i < cells.length; i++) into[i] = from[cells[i]!]!
  return into
}

function joined(steps: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(steps.reduce((total, { length }) => total + length, 0))
  let at = 0
  for (const step of steps) {
    all.set(step, at)
    at += step.length
  }
  return all
}

function rowsOf(cells: Int32Array, from: Float32Array, width: number): Float32Array {
  const rows = new Float32Array(cells.length * width)
  for (const [i, cell] of cells.entries())
    rows.set(from.subarray(cell * width, (cell + 1) * width), i * width)
  return rows
}

/** Copying with `set` takes as long. */
function layOutEntries(
  steps: readonly Int32Array[],
  { data: { indptr, indices, counts, genes }, into }: { data: TrainingCells; into: EntryRoom },
): EntryRoom {
  let at = 0
  for (const step of steps) {
    for (let row = 0; row < step.length; row++) {
      const cell = step[row]!
      const [end, before] = [indptr[cell + 1]!, row * genes]
      for (let i = indptr[cell]!; i < end; i++, at++) {
        const gene = indices[i]!
        into.places[at] = before + gene
        into.genes[at] = gene
        into.counts[at] = counts[i]!
      }
    }
  }
  return into
}
