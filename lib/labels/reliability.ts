/**
 * Does confidence mean what it says? Cells are put into bins of equal width by their confidence; a bin is reliable where the share of its
 * cells that are right equals its mean confidence. The expected calibration error is the mean difference, weighted by cells (Naeini 2015).
 *
 * Trap: without cells there is no error to speak of: NaN, never 0.
 */

export interface ReliabilityBin {
  /** confidences in [from, to); 1 is in the last bin */
  from: number
  to: number
  cells: number
  /** NaN in an empty bin */
  confidence: number
  /** share of cells that are right; NaN in an empty bin */
  accuracy: number
}

export interface AtThreshold {
  threshold: number
  /** cells whose confidence is not below the threshold */
  cells: number
  /** their share of all cells with a confidence */
  share: number
  /** mean confidence of those cells: the accuracy they promise; NaN without any */
  expectedAccuracy: number
  /** the accuracy they have; NaN without any, or where it is not known who is right */
  accuracy: number
}

type Numbers = Float32Array | Float64Array

const usual = 15

/** @param correct 1 where the call is right, one a cell; cells whose confidence is NaN are left out */
export function reliabilityTable(
  confidence: Numbers,
  { correct, bins = usual }: { correct: ArrayLike<number>; bins?: number },
): ReliabilityBin[] {
  checkLengths(confidence, correct)
  const table = Array.from({ length: bins }, (_, bin) => ({
    from: bin / bins,
    to: (bin + 1) / bins,
    cells: 0,
    confidence: 0,
    accuracy: 0,
  }))
  for (let cell = 0; cell < confidence.length; cell++) {
    const value = confidence[cell]!
    if (Number.isNaN(value)) continue
    const bin = table[Math.max(0, Math.min(bins - 1, Math.floor(value * bins)))]!
    bin.cells += 1
    bin.confidence += value
    bin.accuracy += correct[cell]! === 1 ? 1 : 0
  }
  return table.map((bin) => ({
    ...bin,
    confidence: bin.confidence / bin.cells,
    accuracy: bin.accuracy / bin.cells,
  }))
}

/** In [0, 1]; NaN without cells. */
export function expectedCalibrationError(
  confidence: Numbers,
  correct: ArrayLike<number>,
  { bins = usual }: { bins?: number } = {},
): number {
  const table = reliabilityTable(confidence, { correct, bins })
  let cells = 0
  let error = 0
  for (const bin of table) {
    if (bin.cells === 0) continue
    cells += bin.cells
    error += bin.cells * Math.abs(bin.confidence - bin.accuracy)
  }
  return cells === 0 ? Number.NaN : error / cells
}

/** What passes a threshold, and how right it is said to be; with `correct` also how right it is. */
export function accuracyAt(
  confidence: Numbers,
  { threshold, correct }: { threshold: number; correct?: ArrayLike<number> },
): AtThreshold {
  if (correct !== undefined) checkLengths(confidence, correct)
  let known = 0
  let cells = 0
  let expected = 0
  let right = 0
  for (let cell = 0; cell < confidence.length; cell++) {
    const value = confidence[cell]!
    if (Number.isNaN(value)) continue
    known++
    if (value < threshold) continue
    cells++
    expected += value
    if (correct?.[cell] === 1) right++
  }
  return {
    threshold,
    cells,
    share: known === 0 ? Number.NaN : cells / known,
    expectedAccuracy: cells === 0 ? Number.NaN : expected / cells,
    accuracy: cells === 0 || correct === undefined ? Number.NaN : right / cells,
  }
}

function checkLengths(confidence: Numbers, correct: ArrayLike<number>): void {
  if (confidence.length !== correct.length)
    throw new RangeError(`${correct.length} answers for ${confidence.length} confidences`)
}
