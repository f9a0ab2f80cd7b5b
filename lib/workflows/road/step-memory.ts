/**
 * How much memory each Batch step is given: what it was measured to need, half as much again, and a fifth for the system. A step that
 * needs more all the same is sent back with twice of it by RetryElsewhere.
 *
 * `annotate` as in BENCHMARKS.md. Steps of jobs that train were measured on simulated cells, MiB at the process's peak on two cores:
 *
@MEASURED@
 */
import type { BatchState } from '../../job/road.ts'
import { mostMemory } from './machines.ts'
import type { Size } from './step-sizes.ts'

export interface Demand {
  query: Size
  shards: number
  labels: number
  /** of the references together: what there is, and what of it is learnt; zeros where nothing is trained */
  references: Size
  learnt: Size
  /** Publish holds the training cells too */
  writesTraining: boolean
}

const mib = 2 ** 20

/** MiB, measured and with room. */
export function memoryOf(state: BatchState, demand: Demand): number {
  const { query, labels } = demand
  const tables = query.genes * labels * 24
  const needed = 500 * mib + (heldBy[state](demand) + tables) * 1.5
  return roundUp((needed / mib) * 1.2)
}

/** Bytes besides those of the program. */
const heldBy: Record<BatchState, (demand: Demand) => number> = {
  Prepare: ({ query, references, learnt }) =>
    400 * query.cells + variable(query) + 200 * references.cells + 32 * learnt.stored,
  Fit: ({ labels, learnt }) => 32 * learnt.stored + 48 * learnt.cells * labels + 160 * learnt.genes * labels,
  Embed: ({ query, shards }) => (12 * query.stored) / shards,
  // what trains looks at all genes of all cells at once: for markers, and for cells unlike the references
  Label: ({ query, labels, learnt }) =>
    (4000 + 12 * labels) * query.cells +
    2 * variable(query) +
    (learnt.cells === 0 ? 0 : 24 * sharedValues({ query, learnt }) + 16 * labels * query.cells),
  Publish: ({ query, labels, learnt, writesTraining }) =>
    (1500 + 12 * labels) * query.cells +
    (learnt.cells === 0 ? 0 : 16 * labels * query.cells) +
    (writesTraining ? 16 * learnt.stored : 0),
}

/** Bytes of the query's variable genes. */
function variable({ cells, stored }: Size): number {
  return Math.min(stored, cells * 400) * 12
}

/** The query's stored numbers of genes that the references have too. */
function sharedValues({ query, learnt }: Pick<Demand, 'query' | 'learnt'>): number {
  return Math.min(query.stored, query.cells * learnt.genes)
}

/** Half gigabytes, so that like jobs are alike to Batch. */
function roundUp(memory: number): number {
  return Math.min(mostMemory, Math.max(2048, Math.ceil(memory / 512) * 512))
}
