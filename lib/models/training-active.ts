/**
 * Which cells matter to the Hessian: of each label those of most curvature, until what is left out is a small share of the label's whole.
 * Dropping terms keeps the Hessian positive definite; it makes a step a little worse, never the optimum.
 */
import type { StrandContext } from './training-context.ts'

/** One bin for each power of two that a float32 can have. */
const bins = 256

/** Fills the strand's part of `active`, for each panel, rows in order. */
export function chooseRows(context: StrandContext, strand: number): void {
  const { shape, shares, active, activeCounts } = context
  const { rows, panels, width, loss } = shape
  const [from, to] = [shape.strands[strand]!, shape.strands[strand + 1]!]
  const isSoftmax = loss === 'multinomial'
  for (let panel = 0; panel < panels; panel++) {
    const least = leastThatMatter(context, { strand, panel })
    let end = panel * rows + from
    for (let row = from; row < to; row++) {
      const at = (panel * rows + row) * width
      let matters = false
      for (let lane = 0; lane < width && !matters; lane++) {
        const share = shares[at + lane]!
        matters = (isSoftmax ? share * (1 - share) : share) >= least[lane]!
      }
      if (matters) active[end++] = row
    }
    activeCounts[strand * panels + panel] = end - panel * rows - from
  }
}

/** Of each lane the curvature up to which cells can be left out: all of them where the lane is done, its curvature given as infinite. */
function leastThatMatter(
  context: StrandContext,
  { strand, panel }: { strand: number; panel: number },
): Float64Array {
  const { shape, shares, curvatures, cut } = context
  const { rows, width, loss, strength, heads } = shape
  const [from, to] = [shape.strands[strand]!, shape.strands[strand + 1]!]
  const isSoftmax = loss === 'multinomial'
  const strands = shape.strands.length - 1
  const sums = new Float64Array(width * bins)
  const [number, bits] = sharedBits()
  for (let row = from; row < to; row++) {
    const at = (panel * rows + row) * width
    for (let lane = 0; lane < width; lane++) {
      const share = shares[at + lane]!
      const curvature = isSoftmax ? share * (1 - share) : share
      number[0] = curvature
      sums[lane * bins + ((bits[0]! >>> 23) & 255)]! += curvature
    }
  }
  const least = new Float64Array(width)
  for (let lane = 0; lane < width; lane++) {
    const curvature =
      panel * width + lane < heads ? curvatures[panel * width + lane]! : Number.POSITIVE_INFINITY
    if (curvature === Number.POSITIVE_INFINITY) {
      least[lane] = curvature
      continue
    }
    // shares of a softmax are without its strength
    const whole = curvature / (isSoftmax ? strength : 1)
    let left = (cut[0]! * whole) / strands
    let bin = 0
    while (bin < bins && sums[lane * bins + bin]! <= left) left -= sums[lane * bins + bin++]!
    least[lane] = bin === 0 ? 0 : 2 ** (bin - 127)
  }
  return least
}

function sharedBits(): [Float32Array, Int32Array] {
  const number = new Float32Array(1)
  return [number, new Int32Array(number.buffer)]
}
