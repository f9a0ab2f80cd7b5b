/**
 * What a graph is fed for some steps: the numbers of the cells of each step one after another, and noise. The cells themselves lie in a block
 * (cell-block.ts).
 *
 * Noise lies in memory that is used again: fresh memory costs as much as what is written to it. Trap: what was fed before is gone once the next
 * is, so it must have run, or been copied, by then.
 */
import type { Feeds } from '../graph/feeds.ts'
import { int64, type Tensor } from '../graph/tensor.ts'
import { normalNoise } from '../job/noise.ts'
import type { Random } from '../job/random.ts'
import { feedMemory } from './feed-memory.ts'
import { type FillMask, maskFiller } from './mask-kernel.ts'
import type { Noise } from './network.ts'

export interface FedGraph {
  feeds: Pick<Feeds, 'taken' | 'groups'>
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

export function feedMaker({ feeds, noise }: FedGraph): FeedMaker {
  const fill = { normal: normalNoise(), mask: maskFiller() }
  const memory = feedMemory()
  return {
    feed(batches, random) {
      const tensors: Record<string, Tensor> = {}
      const starts = new Map(Object.entries(batches).map(([group, steps]) => [group, startsOf(steps)]))
      for (const [group, of] of starts) tensors[`${group} from`] = int64(of)
      for (const group of feeds.groups) {
        const numbers = joined(batches[group]!)
        tensors[`${group} numbers`] = { type: 'int32', shape: [numbers.length], data: numbers }
      }
      for (const [name, { type, group, each = 1, width = 1 }] of feeds.taken) {
        const rows = starts.get(group)!.at(-1)! * each
        const make = noise.get(name) === 'normal' ? memory.numbers : memory.bytes
        tensors[name] = { type, shape: [rows, width], data: make(name, rows * width) }
      }
      drawNoise(tensors, { graph: { feeds, noise }, starts, random, fill })
      return tensors
    },
  }
}

interface Drawing {
  graph: FedGraph
  starts: ReadonlyMap<string, number[]>
  random: Random
  fill: { normal: ReturnType<typeof normalNoise>; mask: FillMask }
}

/**
 * Step after step, and within a step in the order of the names: what is drawn depends neither on how many steps a run has nor on how the
 * graph was put together.
 */
function drawNoise(
  tensors: Readonly<Record<string, Tensor>>,
  { graph: { feeds, noise }, starts, random, fill }: Drawing,
): void {
  const names = [...noise.keys()].sort()
  const steps = starts.values().next().value!.length - 1
  for (let step = 0; step < steps; step++) {
    for (const name of names) {
      const { group, each = 1, width = 1 } = feeds.taken.get(name)!
      const [from, to] = [starts.get(group)![step]!, starts.get(group)![step + 1]!]
      const rows = tensors[name]!.data.subarray(from * each * width, to * each * width)
      const kind = noise.get(name)!
      if (kind === 'normal') fill.normal(rows as Float32Array, random)
      else fill.mask(rows as Uint8Array, { keep: kind.keep, from: random })
    }
  }
}

/** Where each step's cells begin, and where the last one's end. */
function startsOf(steps: readonly Int32Array[]): number[] {
  const starts = [0]
  for (const { length } of steps) starts.push(starts.at(-1)! + length)
  return starts
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
