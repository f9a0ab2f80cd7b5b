/**
 * Labels of unequal width. References name one cell "T cell" here and "memory CD4 T cell" there, so the probability of a cell is split
 * among labels that do not contradict each other. A label's probability here is that of all labels it covers; a call that is not sure
 * enough falls back to the narrowest broader label that is. Which label covers which is the caller's knowledge (the Cell Ontology).
 */

/** labels x labels: 1 where the label of the row is the label of the column, or broader than it. The diagonal is 1. */
export type Covers = Uint8Array

/** @param covers of two labels' numbers, whether the first is broader than the second */
export function coversMatrix(labels: number, covers: (broad: number, narrow: number) => boolean): Covers {
  return Uint8Array.from({ length: labels * labels }, (_, at) => {
    const [broad, narrow] = [Math.floor(at / labels), at % labels]
    return broad === narrow || covers(broad, narrow) ? 1 : 0
  })
}

/**
 * float64, one a cell: the probability that the cell is of the label it was called, or of one that this label covers. NaN for a call of -1.
 * @param probabilities cells x labels
 * @param options.covers each label covers itself alone unless told
 */
export function probabilityOfCall(
  probabilities: Float64Array | Float32Array,
  { labels, codes, covers }: { labels: number; codes: Int32Array; covers?: Covers | undefined },
): Float64Array {
  if (probabilities.length !== codes.length * labels)
    throw new RangeError(
      `${probabilities.length} probabilities for ${codes.length} cells and ${labels} labels`,
    )
  return Float64Array.from(codes, (code, cell) => {
    if (code < 0) return Number.NaN
    return covers === undefined
      ? probabilities[cell * labels + code]!
      : covered(probabilities, { labels, covers, label: code, cell })
  })
}

export interface BroadenedCalls {
  codes: Int32Array
  confidence: Float64Array
  /** 1 where the label is broader than the one called */
  broadened: Uint8Array
}

/**
 * For each cell the label called, or, where it is below the threshold, the narrowest label covering it that is not (of equally narrow ones
 * the likelier); without any the call and its probability as they are.
 */
export function broadenCalls(
  probabilities: Float64Array | Float32Array,
  {
    labels,
    codes,
    covers,
    threshold,
  }: { labels: number; codes: Int32Array; covers: Covers; threshold: number },
): BroadenedCalls {
  const confidence = probabilityOfCall(probabilities, { labels, codes, covers })
  const result: BroadenedCalls = { codes: codes.slice(), confidence, broadened: new Uint8Array(codes.length) }
  const widths = Int32Array.from({ length: labels }, (_, label) => {
    return covers.subarray(label * labels, (label + 1) * labels).reduce((sum, one) => sum + one, 0)
  })
  codes.forEach((code, cell) => {
    if (code < 0 || !(confidence[cell]! < threshold)) return
    let best: { label: number; sum: number } | undefined
    for (let label = 0; label < labels; label++) {
      if (label === code || covers[label * labels + code] !== 1) continue
      const sum = covered(probabilities, { labels, covers, label, cell })
      if (sum < threshold) continue
      const narrower = best === undefined ? 1 : widths[best.label]! - widths[label]!
      if (narrower > 0 || (narrower === 0 && sum > best!.sum)) best = { label, sum }
    }
    if (best === undefined) return
    result.codes[cell] = best.label
    result.confidence[cell] = best.sum
    result.broadened[cell] = 1
  })
  return result
}

function covered(
  probabilities: Float64Array | Float32Array,
  { labels, covers, label, cell }: { labels: number; covers: Covers; label: number; cell: number },
): number {
  let sum = 0
  for (let k = 0; k < labels; k++)
    if (covers[label * labels + k] === 1) sum += probabilities[cell * labels + k]!
  return sum
}
