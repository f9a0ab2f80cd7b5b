/**
 * How much memory each Batch step is given: what it was measured to need, half as much again, and a fifth for the system. A step that
 * needs more all the same is sent back with twice of it by RetryElsewhere.
 *
 * `annotate` as in BENCHMARKS.md. Steps of jobs that train were measured on simulated cells, MiB at the process's peak on two cores:
 *
 *     training cells x values a cell x types, folds   Prepare    Fit   Label (cells of the query)
 *     10,000 x   300 x   8, 2                             333    263     238 ( 5,000)
 *     40,000 x   300 x  16, 2                             634    523     340 (20,000)
 *     40,000 x   100 x 120, 2                             340    399     292 (20,000)
 *     40,000 x   500 x  16, 5                             717    622     267 ( 5,000)
 *     40,000 x 1,000 x  40, 2                           1,085    850     785 (40,000)
 *
 * With nothing to do they take 160 to 270. Prepare holds the training cells as it gathers, joins, cuts and writes them (8 bytes a value
 * each time), and the obs of one reference: 400,000 cells with 13 columns, of which 4,000 were learnt, took 689. Fit holds the cells (8),
 * what the threads of a training share (8 a value, 20 a cell and type: `trainingLayout`) and both again for a fold; memory of a training
 * that is over may not be collected yet. Label and Publish hold the scores, Label the query's values over the genes of the model too.
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
  /** cells of the largest reference: obs are looked at one reference after the other */
  largestReference: number
  /** Publish holds the training cells too */
  writesTraining: boolean
  /** a network is trained or asked, of shards of counts; absent for linear models */
  network?: {
    weights: number
    /** that label the query's */
    referenceCells: number
    /** whether the query is laid out, or clustered, by its own variable genes */
    drawsComponents: boolean
    /** Fit hands the counts to a device */
    isOnGpu: boolean
  }
  /** the network's decoder is asked in Embed; bytes of the file that comes of it, 0 for none */
  decoding?: { bytes: number }
  /** Prepare finds what the job works on: none of the sizes is known before */
  findsInputs?: boolean
}

const mib = 2 ** 20
/**
 * MiB. Of 600,000 cells with 27 columns of obs a file that was taken whole took 245, half of them in a file of their own 1,038: the obs of
 * some millions of cells, and slabs of everything else.
 */
const memoryUnknown = 8192

/** MiB, measured and with room. */
export function memoryOf(state: BatchState, demand: Demand): number {
  const { query, labels, findsInputs } = demand
  if (findsInputs) return memoryUnknown
  const tables = query.genes * labels * 24
  const held = demand.network === undefined ? heldBy[state](demand) + tables : heldByNetworks[state](demand)
  const needed = 500 * mib + held * 1.5
  return roundUp((needed / mib) * 1.2)
}

/** Bytes besides those of the program. */
const heldBy: Record<BatchState, (demand: Demand) => number> = {
  Prepare: ({ query, references, largestReference, learnt }) =>
    400 * query.cells +
    variable(query) +
    1100 * largestReference +
    20 * references.cells +
    32 * learnt.stored,
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

/**
 * The same of jobs with networks. 40,000 cells with 17 million counts, of which 2,000 genes and 8 labels were learnt, took 369 MiB in Prepare, 575 in
 * Fit, 318 in Embed and 269 in Label. Prepare holds one shard and moments of genes by batch; Fit the counts (8 bytes a value), weights with moments,
 * gradients and what is stored of them; Label neighbours and layout. For a device the counts are written into the model's bytes (lib/graph/held-inputs.ts):
 * 550 MiB more for 20 million when the sessions are open (measured on WebGPU in software, where what the device holds is among it).
 */
const heldByNetworks: Record<BatchState, (demand: Demand) => number> = {
  Prepare: ({ query, shards, network }) =>
    600 * query.cells +
    (24 * query.stored) / shards +
    2000 * query.genes +
    (network?.drawsComponents ? variable(query) : 0),
  Fit: ({ query, learnt, shards, network }) =>
    (network?.isOnGpu ? 34 : 10) * learnt.stored +
    100 * query.cells +
    (12 * query.stored) / shards +
    40 * (network?.weights ?? 0),
  Embed: ({ query, shards, network, decoding }) =>
    (20 * query.stored) / shards +
    (decoding === undefined ? 40 : 52) * query.cells +
    8 * (network?.weights ?? 0) +
    (decoding === undefined ? 0 : heldByDecoder),
  // neighbours among cells of a reference: their places as numbers of two kinds, labels, and the index of a large one
  Label: ({ query, labels, network }) =>
    (4000 + 12 * labels) * query.cells +
    400 * (network?.referenceCells ?? 0) +
    (network?.drawsComponents ? 2 * variable(query) : 0),
  Publish: ({ query, labels, network, decoding }) =>
    (1500 + 12 * labels) * query.cells +
    12 * (network?.weights ?? 0) +
    (decoding === undefined ? 0 : 16 * query.cells + Math.min(8 * decoding.bytes, heldByBlocks)),
}

/**
 * A run of a decoder is of four million places (scvi-inference-parts.ts). Embed of 20,000 cells x 2,000 genes took 397 MiB to place them, 521 to
 * explain them too, 662 to decode them and 804 for both with ten draws.
 */
const heldByDecoder = 400 * mib
/** A block of expression, as it was read, with the genes of its numbers, and as it is written: 374 MiB in place of 282. */
const heldByBlocks = 150 * mib

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
