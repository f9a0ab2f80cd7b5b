/** Kernels, views and addresses that one thread works with: the shared memory as a strand sees it. */
import {
  createTrainingKernel,
  type Precision,
  type SharedMemory,
  type TrainingKernel,
} from './training-kernel.ts'
import { blockRows, bytesOf, floatsAt, type TrainingLayout, type TrainingShape } from './training-memory.ts'

export interface TrainingSetup {
  memory: SharedMemory
  layout: TrainingLayout
  shape: TrainingShape
}

/** Byte offsets of what belongs to one strand; panels are numbered. */
export interface StrandPlaces {
  /** starts, genes, values: as the kernels take them */
  cells: [number, number, number]
  vector(panel: number): number
  base(panel: number): number
  partial(panel: number): number
  scratch(panel: number): number
}

export interface StrandContext extends TrainingSetup {
  kernels: Record<Precision, TrainingKernel>
  codes: Int32Array
  scores: Float64Array
  change: Float64Array
  shares: Float32Array
  steps: Float64Array
  cut: Float64Array
  curvatures: Float64Array
  active: Int32Array
  activeCounts: Int32Array
  places(precision: Precision, strand: number): StrandPlaces
  /** [panel][row of the block][lane] */
  scratchOf(precision: Precision, strand: number): Float32Array | Float64Array
  /** zeroes the strand's sums over genes */
  clear(precision: Precision, strand: number): void
  sumsOf(strand: number): Float64Array
  lossesOf(strand: number): Float64Array
  curvaturesOf(strand: number): Float64Array
}

export function strandContext(setup: TrainingSetup): StrandContext {
  const { memory, layout, shape } = setup
  const { rows, columns, panels, width, stored } = shape
  const { buffer } = memory
  const lanes = panels * width
  const strands = shape.strands.length - 1
  const doubles = (at: number, count: number): Float64Array => new Float64Array(buffer, at, count)
  const integers = (at: number, count: number): Int32Array => new Int32Array(buffer, at, count)
  const kernel = (precision: Precision): TrainingKernel =>
    createTrainingKernel(memory, { precision, stored, width })
  const ofStrands = (at: number): Float64Array[] =>
    Array.from({ length: strands }, (_, strand) => doubles(at + 8 * strand * lanes, lanes))
  const [sums, losses, curvatures] = [layout.laneSums, layout.laneLosses, layout.laneCurvatures].map(
    ofStrands,
  )
  const partial = (precision: Precision, strand: number): number =>
    layout.partials + bytesOf(precision) * strand * columns * lanes
  const scratch = (strand: number): number => layout.scratch + 8 * strand * blockRows * lanes
  const scratchesOf = (precision: Precision) =>
    Array.from({ length: strands }, (_, strand) =>
      floatsAt(buffer, { precision, at: scratch(strand), count: blockRows * lanes }),
    )
  const scratches = { single: scratchesOf('single'), double: scratchesOf('double') }
  return {
    ...setup,
    kernels: { single: kernel('single'), double: kernel('double') },
    codes: integers(layout.codes, rows),
    scores: doubles(layout.scores, rows * lanes),
    change: doubles(layout.change, rows * lanes),
    shares: new Float32Array(buffer, layout.shares, rows * lanes),
    steps: doubles(layout.steps, lanes),
    cut: doubles(layout.cut, 1),
    curvatures: doubles(layout.curvatures, lanes),
    active: integers(layout.active, rows * panels),
    activeCounts: integers(layout.activeCounts, strands * panels),
    places(precision, strand) {
      const bytes = bytesOf(precision)
      return {
        cells: [layout.starts, layout.genes, layout.values],
        vector: (panel) => layout.vector + bytes * panel * columns * width,
        base: (panel) => layout.base + bytes * panel * width,
        partial: (panel) => partial(precision, strand) + bytes * panel * columns * width,
        scratch: (panel) => scratch(strand) + bytes * panel * blockRows * width,
      }
    },
    scratchOf: (precision, strand) => scratches[precision][strand]!,
    clear: (precision, strand) =>
      void floatsAt(buffer, { precision, at: partial(precision, strand), count: columns * lanes }).fill(0),
    sumsOf: (strand) => sums![strand]!,
    lossesOf: (strand) => losses![strand]!,
    curvaturesOf: (strand) => curvatures![strand]!,
  }
}
