/**
 * Probabilities that keep their word: the scores of reference cells that the model had not seen are scaled by one number, the inverse
 * temperature, such that the softmax over all labels explains their labels best (Guo 2017); then by one of its own for the cells called
 * each label, held near the common one where these are few. The order of labels in a cell never changes.
 *
 * Traps: one-vs-rest sigmoids are not used here at all: they do not add up to 1 and their height depends on the number of labels.
 * Held-out cells of a reference say nothing of the distance between reference and query: that is `out-of-reference.ts`.
 */
import type { ErrorReport } from '../job/errors.ts'
import { bestMatch } from './match.ts'
import { accuracyAt, expectedCalibrationError, type ReliabilityBin, reliabilityTable } from './reliability.ts'

export interface HeldOut {
  /** cells x labels: of each cell by a model that was fitted without it; NaN rows, and labels below 0, are left out */
  scores: Float32Array | Float64Array
  /** number of each cell's true label */
  codes: Int32Array
  labels: number
  loss: 'ovr' | 'multinomial'
}

/** Plain data, made to be stored with a model. */
export interface Calibration {
  kind: 'temperature'
  /** `not-assessed`: too few held-out cells; the scale is 1 and says nothing */
  status: 'calibrated' | 'not-assessed'
  loss: 'ovr' | 'multinomial'
  labels: number
  /** scores are multiplied by it: below 1 they were too sure, above 1 too modest */
  scale: number
  /** the same for cells called each label: look-alike labels are less sure than the others; `scale` for all of them when absent */
  scales?: number[] | undefined
  /** held-out cells it was fitted on, and those of the label that has fewest */
  cells: number
  fewestCells: number
  /** of the held-out cells; null where not assessed */
  measured: {
    accuracy: number
    expectedCalibrationError: number
    /** empty bins are left out */
    reliability: ReliabilityBin[]
  } | null
}

export interface CalibrationOptions {
  /** fewer held-out cells than this give no calibration: 50 */
  minCells?: number
  bins?: number
}

export function fitCalibration(
  heldOut: HeldOut,
  { minCells = 50, bins = 15 }: CalibrationOptions = {},
): { calibration: Calibration; notices: ErrorReport[] } {
  const { labels, loss } = heldOut
  const { scores, codes } = usableCells(heldOut)
  const counts = new Int32Array(labels)
  for (const code of codes) counts[code]! += 1
  const fewestCells = counts.reduce((fewest, count) => Math.min(fewest, count), codes.length)
  const base = { kind: 'temperature' as const, loss, labels, cells: codes.length, fewestCells }
  if (codes.length < minCells) {
    const problem = `${codes.length} reference cells could be held out, ${minCells} are needed`
    const remedy =
      'Give more reference cells; until then read the confidence as an order, not as a probability'
    return {
      calibration: { ...base, status: 'not-assessed', scale: 1, measured: null },
      notices: [{ code: 'CALIBRATION_NOT_ASSESSED', place: 'reference', problem, remedy }],
    }
  }
  const scale = bestScale(scores, { codes, labels })
  const scales = scalesByCall(scores, { codes, labels, scale })
  const calibration: Calibration = { ...base, status: 'calibrated', scale, scales, measured: null }
  const probabilities = calibratedProbabilities(scores, { calibration })
  const called = bestMatch(scores, labels)
  const confidence = called.reduce((all, code, cell) => {
    all[cell] = probabilities[cell * labels + code]!
    return all
  }, new Float64Array(codes.length))
  const correct = Uint8Array.from(codes, (code, cell) => (code === called[cell] ? 1 : 0))
  calibration.measured = {
    accuracy: accuracyAt(confidence, { threshold: 0, correct }).accuracy,
    expectedCalibrationError: expectedCalibrationError(confidence, correct, { bins }),
    reliability: reliabilityTable(confidence, { correct, bins }).filter((bin) => bin.cells > 0),
  }
  return { calibration, notices: fewestCells === 0 ? [unheldNotice(counts)] : [] }
}

/**
 * float64, cells x labels. Rows add up to 1, or with `within` to that number, what is left being the probability that a cell is none of
 * the labels. A row with a NaN is NaN.
 * @param options.within one a cell, in [0, 1]: the probability that it is of the reference at all (`withinReference`)
 */
export function calibratedProbabilities(
  scores: Float32Array | Float64Array,
  { calibration, within }: { calibration: Calibration; within?: Float64Array | undefined },
): Float64Array {
  const { labels, scale: common, scales } = calibration
  if (scores.length % labels !== 0)
    throw new RangeError(`${scores.length} scores are no whole rows of ${labels} labels`)
  const probabilities = new Float64Array(scores.length)
  for (let cell = 0; cell < scores.length / labels; cell++) {
    const start = cell * labels
    let best = start
    for (let k = start + 1; k < start + labels; k++) if (scores[k]! > scores[best]!) best = k
    const most = rowHasNaN(scores, start, labels) ? Number.NaN : scores[best]!
    const scale = scales?.[best - start] ?? common
    let sum = 0
    for (let k = start; k < start + labels; k++) {
      // equal infinities are equally likely
      const below = scores[k] === most ? 0 : scale * (scores[k]! - most)
      probabilities[k] = Math.exp(below)
      sum += probabilities[k]!
    }
    const share = (within?.[cell] ?? 1) / (Number.isNaN(most) ? Number.NaN : sum)
    for (let k = start; k < start + labels; k++) probabilities[k]! *= share
  }
  return probabilities
}

function rowHasNaN(scores: Float32Array | Float64Array, start: number, labels: number): boolean {
  for (let k = start; k < start + labels; k++) if (Number.isNaN(scores[k]!)) return true
  return false
}

function usableCells({ scores, codes, labels }: HeldOut): { scores: Float64Array; codes: Int32Array } {
  if (scores.length !== codes.length * labels)
    throw new RangeError(`${scores.length} scores for ${codes.length} cells and ${labels} labels`)
  const usable = [...codes.keys()].filter((cell) => {
    const code = codes[cell]!
    return (
      code >= 0 && code < labels && scores.subarray(cell * labels, (cell + 1) * labels).every(Number.isFinite)
    )
  })
  const kept = new Float64Array(usable.length * labels)
  for (const [row, cell] of usable.entries())
    kept.set(scores.subarray(cell * labels, (cell + 1) * labels), row * labels)
  return { scores: kept, codes: Int32Array.from(usable, (cell) => codes[cell]!) }
}

/**
 * Golden section over the logarithm of the scale: the loss is convex in the scale, so it has one minimum. Labels are softened by one cell
 * in all, as Platt's sigmoid has it: perfectly separated cells would otherwise ask for certainty.
 */
function bestScale(
  scores: Float64Array,
  { codes, labels, near }: { codes: Int32Array; labels: number; near?: number },
): number {
  const softened = 1 / (codes.length + 2)
  const loss = (log: number): number => {
    const scale = Math.exp(log)
    let total = 0
    for (let cell = 0; cell < codes.length; cell++)
      total += softenedLoss(scores.subarray(cell * labels, (cell + 1) * labels), {
        code: codes[cell]!,
        scale,
        softened,
      })
    return total + (near === undefined ? 0 : pull * (log - Math.log(near)) ** 2)
  }
  const golden = (Math.sqrt(5) - 1) / 2
  let [from, to] = [Math.log(1e-6), Math.log(1e4)]
  let [left, right] = [to - golden * (to - from), from + golden * (to - from)]
  let [lossLeft, lossRight] = [loss(left), loss(right)]
  while (to - from > 1e-6) {
    if (lossLeft <= lossRight) {
      ;[to, right, lossRight] = [right, left, lossLeft]
      left = to - golden * (to - from)
      lossLeft = loss(left)
    } else {
      ;[from, left, lossLeft] = [left, right, lossRight]
      right = from + golden * (to - from)
      lossRight = loss(right)
    }
  }
  return Math.exp((from + to) / 2)
}

/** How strongly the scale of one label is held to the common one, against the loss of its cells. */
const pull = 2

/** One scale for the cells called each label; a label that few cells are called stays near the common one. */
function scalesByCall(
  scores: Float64Array,
  { codes, labels, scale }: { codes: Int32Array; labels: number; scale: number },
): number[] {
  const called = bestMatch(scores, labels)
  return Array.from({ length: labels }, (_, label) => {
    const cells = [...called.keys()].filter((cell) => called[cell] === label)
    if (cells.length === 0) return scale
    const own = new Float64Array(cells.length * labels)
    for (const [row, cell] of cells.entries())
      own.set(scores.subarray(cell * labels, (cell + 1) * labels), row * labels)
    return bestScale(own, { codes: Int32Array.from(cells, (cell) => codes[cell]!), labels, near: scale })
  })
}

function softenedLoss(
  row: Float64Array,
  { code, scale, softened }: { code: number; scale: number; softened: number },
): number {
  let most = Number.NEGATIVE_INFINITY
  for (const score of row) most = Math.max(most, score)
  let sum = 0
  let shortfall = 0
  for (const score of row) {
    sum += Math.exp(scale * (score - most))
    shortfall += scale * (most - score)
  }
  const own = scale * (most - row[code]!)
  const others = row.length > 1 ? (shortfall - own) / (row.length - 1) : 0
  return Math.log(sum) + (1 - softened) * own + softened * others
}

function unheldNotice(counts: Int32Array): ErrorReport {
  const without = counts.reduce((sum, count) => sum + (count === 0 ? 1 : 0), 0)
  return {
    code: 'CALIBRATION_LABELS',
    place: 'reference',
    problem: `${without} of ${counts.length} labels have no cell that could be held out; their calibration is that of the others`,
    remedy: 'Give at least two reference cells of each label, or drop the label',
  }
}
