/**
 * The two losses, cell by cell: one sigmoid a label (log(1 + exp(-y s))) or one softmax over all labels (cross entropy), times `strength`.
 * Both leave residuals in the strand's scratch memory, and what bends the objective (curvature, or probabilities) in `shares`.
 */
import type { StrandContext } from './training-context.ts'
import type { Precision } from './training-kernel.ts'
import { blockRows } from './training-memory.ts'

interface Rows {
  strand: number
  from: number
  to: number
}

/** Moves the scores of rows [from, to) by `steps` times the change, and adds up losses, residuals and curvatures of each lane. */
export function settleRows(context: StrandContext, rows: Rows): void {
  if (context.shape.loss === 'ovr') settleSigmoids(context, rows)
  else settleSoftmax(context, rows)
}

function settleSigmoids(context: StrandContext, { strand, from, to }: Rows): void {
  const { scores, change, shares, steps, codes, shape } = context
  const { rows, panels, width, heads, strength } = shape
  const residuals = context.scratchOf('double', strand)
  const [sums, losses, curvatures] = lanesOf(context, strand)
  for (let panel = 0; panel < panels; panel++) {
    const lanes = Math.min(width, heads - panel * width)
    for (let row = from; row < to; row++) {
      const at = (panel * rows + row) * width
      const into = (panel * blockRows + row - from) * width
      // of two labels the second has the one row of weights
      const own = (heads === 1 ? codes[row]! - 1 : codes[row]!) - panel * width
      for (let lane = 0; lane < lanes; lane++) {
        const of = panel * width + lane
        const score = scores[at + lane]! + steps[of]! * change[at + lane]!
        scores[at + lane] = score
        const small = Math.exp(-Math.abs(score))
        const [likely, unlikely] = [1 / (1 + small), small / (1 + small)]
        const isPositive = lane === own
        const residual = isPositive ? -(score > 0 ? unlikely : likely) : score > 0 ? likely : unlikely
        const wrong = isPositive ? -score : score
        residuals[into + lane] = strength * residual
        shares[at + lane] = strength * likely * unlikely
        sums[of]! += strength * residual
        losses[of]! += strength * ((wrong > 0 ? wrong : 0) + Math.log1p(small))
        curvatures[of]! += strength * likely * unlikely
      }
      for (let lane = lanes; lane < width; lane++) residuals[into + lane] = 0
    }
  }
}

function settleSoftmax(context: StrandContext, { strand, from, to }: Rows): void {
  const { scores, change, shares, steps, codes, shape } = context
  const { rows, panels, width, heads, strength } = shape
  const residuals = context.scratchOf('double', strand)
  const [sums, losses, curvatures] = lanesOf(context, strand)
  const powers = new Float64Array(heads)
  for (let row = from; row < to; row++) {
    let [highest, best] = [Number.NEGATIVE_INFINITY, 0]
    for (let head = 0; head < heads; head++) {
      const at = ((((head / width) | 0) * rows + row) * width + (head % width)) | 0
      const score = scores[at]! + steps[head]! * change[at]!
      scores[at] = score
      powers[head] = score
      if (score > highest) [highest, best] = [score, head]
    }
    const own = codes[row]!
    const behind = highest - powers[own]!
    let others = 0
    for (let head = 0; head < heads; head++) {
      powers[head] = Math.exp(powers[head]! - highest)
      if (head !== best) others += powers[head]!
    }
    // the loss of a cell that is told surely is tiny: log1p keeps its digits
    losses[0]! += strength * (behind + Math.log1p(others))
    const all = 1 + others
    for (let panel = 0; panel < panels; panel++) {
      const at = (panel * rows + row) * width
      const into = (panel * blockRows + row - from) * width
      for (let lane = 0; lane < width; lane++) {
        const head = panel * width + lane
        if (head >= heads) {
          residuals[into + lane] = 0
          continue
        }
        const share = powers[head]! / all
        const rest = head === best ? others / all : (all - powers[head]!) / all
        const residual = strength * (head === own ? -rest : share)
        residuals[into + lane] = residual
        shares[at + lane] = share
        sums[head]! += residual
        curvatures[head]! += strength * share * rest
      }
    }
  }
}

function lanesOf(context: StrandContext, strand: number): [Float64Array, Float64Array, Float64Array] {
  return [context.sumsOf(strand), context.lossesOf(strand), context.curvaturesOf(strand)]
}

interface Bending {
  strand: number
  precision: Precision
  /** first row of the block */
  block: number
  /** where each panel's rows of the block lie in `active` */
  starts: Int32Array
  ends: Int32Array
  /** scores along a vector lie in the scratch memory; if not, the curvatures themselves are wanted */
  isImage: boolean
}

/** Multiplies what lies in the scratch memory with each cell's curvature, and adds it up for each lane. */
export function curve(context: StrandContext, bending: Bending): void {
  const { shape, active, shares } = context
  const { rows, panels, width, loss, strength } = shape
  const { strand, precision, block, starts, ends, isImage } = bending
  const scratch = context.scratchOf(precision, strand)
  const sums = context.sumsOf(strand)
  const isSoftmax = loss === 'multinomial'
  const means = isSoftmax && isImage ? meansOf(context, bending) : undefined
  for (let panel = 0; panel < panels; panel++)
    for (let i = starts[panel]!; i < ends[panel]!; i++) {
      const row = active[i]!
      const from = (panel * rows + row) * width
      const into = (panel * blockRows + row - block) * width
      const mean = means === undefined ? 0 : means[row - block]!
      for (let lane = 0; lane < width; lane++) {
        const share = shares[from + lane]!
        const weight = isSoftmax ? strength * share : share
        const bent = isImage
          ? weight * (scratch[into + lane]! - mean)
          : isSoftmax
            ? weight * (1 - share)
            : weight
        scratch[into + lane] = bent
        sums[panel * width + lane]! += bent
      }
    }
}

/** Of each row of the block its scores' mean, weighted by probabilities. */
function meansOf(context: StrandContext, { strand, precision, block, starts, ends }: Bending): Float64Array {
  const { shape, active, shares } = context
  const { rows, panels, width } = shape
  const scratch = context.scratchOf(precision, strand)
  const means = new Float64Array(blockRows)
  for (let panel = 0; panel < panels; panel++)
    for (let i = starts[panel]!; i < ends[panel]!; i++) {
      const row = active[i]!
      const from = (panel * rows + row) * width
      const into = (panel * blockRows + row - block) * width
      let sum = 0
      for (let lane = 0; lane < width; lane++) sum += shares[from + lane]! * scratch[into + lane]!
      means[row - block]! += sum
    }
  return means
}
