/**
 * Lays out what a graph is fed for some steps: the cells of each step one after another, their entries with places within their own
 * minibatch, and noise. One copy of the entries a step; for counts of a tenth of the genes some hundredths of the step's own time.
 */
import type { FeedSpec } from '../graph/feeds.ts'
import { int64, type Tensor } from '../graph/tensor.ts'
import { fillMask, normalNoise } from '../job/noise.ts'
import type { Random } from '../job/random.ts'
import type { Noise } from './network.ts'
import type { TrainingCells } from './training-cells.ts'

export interface FedGraph {
  feeds: ReadonlyMap<string, FeedSpec>
  noise: ReadonlyMap<string, Noise>
}

/** By group ('cells', 'labelled'), the cells of each step; all groups have as many steps. */
export type Batches = Readonly<Record<string, readonly Int32Array[]>>

export interface FeedMaker {
  /** tensors by the names that the graph has for them; with `GROUP from` where it runs in a loop */
  feed(batches: Batches, random: Random): Record<string, Tensor>
}

export function feedMaker(graph: FedGraph, data: TrainingCells): FeedMaker {
  const fillNormal = normalNoise()
  return {
    feed(batches, random) {
      const tensors: Record<string, Tensor> = {}
      const sizes = sizesOf(batches, data)
      for (const [group, starts] of sizes) tensors[`${group} from`] = int64(starts)
      const places = new Map(Object.entries(batches).map(([group, steps]) => [group, layOut(steps, data)]))
      for (const [name, { group, each = 1, width, type }] of graph.feeds) {
        const rows = sizes.get(group)!.at(-1)! * each
        const shape = width === undefined ? [rows] : [rows, width]
        const noise = graph.noise.get(name)
        const values = noise === undefined ? undefined : rows * width!
        const filled =
          values === undefined
            ? places.get(cellGroup(group))!(partOf(name, group))
            : noise === 'normal'
              ? new Float32Array(values)
              : new Uint8Array(values)
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
    sizes.set(group === 'cells' ? 'entries' : `${group} entries`, entries)
  }
  return sizes
}

function layOut(steps: readonly Int32Array[], data: TrainingCells) {
  return (part: string): Float32Array | Int32Array => {
    if (part === 'places' || part === 'genes' || part === 'counts') return entriesOf(steps, { data, part })
    const cells = joined(steps)
    if (part === 'library') return Float32Array.from(cells, (cell) => data.library[cell]!)
    if (part === 'classes') return Int32Array.from(cells, (cell) => data.labels![cell]!)
    if (part === 'continuous') return rowsOf(cells, data.continuous!, data.continuous!.length / data.cells)
    const covariate = /^category (\d+)$/.exec(part)?.[1]
    if (covariate === undefined) throw new Error(`cells have no '${part}'`)
    const codes = data.categories[Number(covariate)]!
    return Int32Array.from(cells, (cell) => codes[cell]!)
  }
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

function entriesOf(
  steps: readonly Int32Array[],
  { data, part }: { data: TrainingCells; part: 'places' | 'genes' | 'counts' },
): Float32Array | Int32Array {
  const { indptr, indices, counts, genes } = data
  let stored = 0
  for (const step of steps) for (const cell of step) stored += indptr[cell + 1]! - indptr[cell]!
  const source = part === 'counts' ? counts : indices
  const entries = part === 'counts' ? new Float32Array(stored) : new Int32Array(stored)
  let at = 0
  for (const step of steps) {
    for (let row = 0; row < step.length; row++) {
      const cell = step[row]!
      const [from, to] = [indptr[cell]!, indptr[cell + 1]!]
      entries.set(source.subarray(from, to), at)
      if (part === 'places') for (let i = at; i < at + to - from; i++) entries[i] = entries[i]! + row * genes
      at += to - from
    }
  }
  return entries
}
