/**
 * What one thread does with one strand of cells, the same code on the main thread and on workers. Each operation reads what the main thread
 * left in the shared memory and leaves its sums there, under the strand's number.
 *
 * Trap: most cells are soon told apart so surely that they hardly bend the objective. Products with the Hessian skip them, panel by panel;
 * gradients and objectives never skip anything.
 */
import { chooseRows } from './training-active.ts'
import { type StrandContext, strandContext, type TrainingSetup } from './training-context.ts'
import type { Precision } from './training-kernel.ts'
import { curve, settleRows } from './training-loss.ts'
import { blockRows } from './training-memory.ts'

/**
 * - change: what the scores change by along the vector, float64
 * - settle: scores moved by `steps` times that; losses, gradient sums, curvatures
 * - choose: which rows matter from now on
 * - diagonal, diagonalSquares: sums of curvature times value, and times its square
 * - image: the Hessian's sums for the vector
 */
export const operations = ['change', 'settle', 'choose', 'diagonal', 'diagonalSquares', 'image'] as const
export type Operation = (typeof operations)[number]

export type StrandWork = (strand: number, operation: Operation, precision: Precision) => void

export function strandWork(setup: TrainingSetup): StrandWork {
  const context = strandContext(setup)
  return (strand, operation, precision) => {
    if (operation === 'change') changeScores(context, strand)
    else if (operation === 'settle') settle(context, strand)
    else if (operation === 'choose') chooseRows(context, strand)
    else spread(context, { strand, operation, precision })
  }
}

function changeScores(context: StrandContext, strand: number): void {
  const { shape, layout, kernels } = context
  const { width, panels, rows } = shape
  const [from, to] = [shape.strands[strand]!, shape.strands[strand + 1]!]
  const places = context.places('double', strand)
  for (let block = from; block < to; block += blockRows) {
    const count = Math.min(blockRows, to - block)
    for (let panel = 0; panel < panels; panel++) {
      const results = layout.change + 8 * width * (panel * rows + block)
      kernels.double.gather(
        ...[count, layout.rowNumbers + 4 * block, block, ...places.cells, results, 8 * width],
        ...[places.vector(panel), places.base(panel)],
      )
    }
  }
}

function settle(context: StrandContext, strand: number): void {
  const { shape, layout, kernels } = context
  const { width, panels } = shape
  const [from, to] = [shape.strands[strand]!, shape.strands[strand + 1]!]
  const places = context.places('double', strand)
  context.clear('double', strand)
  context.sumsOf(strand).fill(0)
  context.lossesOf(strand).fill(0)
  context.curvaturesOf(strand).fill(0)
  for (let block = from; block < to; block += blockRows) {
    const count = Math.min(blockRows, to - block)
    settleRows(context, { strand, from: block, to: block + count })
    for (let panel = 0; panel < panels; panel++)
      kernels.double.scatter(
        ...[count, layout.rowNumbers + 4 * block, block, ...places.cells],
        ...[places.scratch(panel), 8 * width, places.partial(panel)],
      )
  }
}

/** Gathers where it is an image, bends each row by its curvature, and scatters: only rows that matter. */
function spread(
  context: StrandContext,
  {
    strand,
    operation,
    precision,
  }: { strand: number; operation: 'diagonal' | 'diagonalSquares' | 'image'; precision: Precision },
): void {
  const { shape, layout, active, activeCounts } = context
  const { panels, rows, width } = shape
  const [from, to] = [shape.strands[strand]!, shape.strands[strand + 1]!]
  const kernel = context.kernels[precision]
  const scatter = operation === 'diagonalSquares' ? kernel.scatterSquares : kernel.scatter
  const places = context.places(precision, strand)
  const stride = width * (precision === 'single' ? 4 : 8)
  context.clear(precision, strand)
  context.sumsOf(strand).fill(0)
  const [starts, ends] = [new Int32Array(panels), new Int32Array(panels)]
  for (let panel = 0; panel < panels; panel++) starts[panel] = panel * rows + from
  const limits = starts.map((start, panel) => start + activeCounts[strand * panels + panel]!)
  for (let block = from; block < to; block += blockRows) {
    for (let panel = 0; panel < panels; panel++) {
      let end = starts[panel]!
      while (end < limits[panel]! && active[end]! < block + blockRows) end++
      ends[panel] = end
      const count = end - starts[panel]!
      if (count === 0 || operation !== 'image') continue
      kernel.gather(
        ...[count, layout.active + 4 * starts[panel]!, block, ...places.cells, places.scratch(panel), stride],
        ...[places.vector(panel), places.base(panel)],
      )
    }
    curve(context, { strand, precision, block, starts, ends, isImage: operation === 'image' })
    for (let panel = 0; panel < panels; panel++) {
      const count = ends[panel]! - starts[panel]!
      if (count > 0)
        scatter(
          ...[count, layout.active + 4 * starts[panel]!, block, ...places.cells],
          ...[places.scratch(panel), stride, places.partial(panel)],
        )
      starts[panel] = ends[panel]!
    }
  }
}
