/**
 * Where a number usually lies among cells that were called one label, and how far it spreads: medians, so that a few odd cells do not
 * count. Labels with few cells borrow from all: as if each had 20 cells more, with the middle and the spread of all.
 */

export interface LabelScale {
  /** one a label */
  middle: Float64Array
  /** one a label: as a standard deviation, above 0 */
  spread: Float64Array
}

const borrowed = 20
/** median of |x| of a standard normal variable, inverted */
const toDeviation = 1.4826

export function labelScale(
  values: Float64Array,
  { codes, labels }: { codes: Int32Array; labels: number },
): LabelScale {
  const groups: number[][] = Array.from({ length: labels }, () => [])
  codes.forEach((code, at) => {
    if (code >= 0 && !Number.isNaN(values[at]!)) groups[code]!.push(values[at]!)
  })
  const common = median(groups.flat())
  const medians = groups.map((group) => (group.length === 0 ? common : median(group)))
  const offsets = groups.map((group, label) => group.map((value) => Math.abs(value - medians[label]!)))
  const commonSpread = Math.max(toDeviation * median(offsets.flat()), 1e-6)
  return {
    middle: Float64Array.from(groups, (group, label) => {
      return (group.length * medians[label]! + borrowed * common) / (group.length + borrowed)
    }),
    spread: Float64Array.from(groups, (group, label) => {
      const own = group.length === 0 ? 0 : toDeviation * median(offsets[label]!)
      return Math.sqrt((group.length * own ** 2 + borrowed * commonSpread ** 2) / (group.length + borrowed))
    }),
  }
}

/** How many spreads above the middle of the called label. */
export function standing(value: number, { scale, call }: { scale: LabelScale; call: number }): number {
  return (value - scale.middle[call]!) / scale.spread[call]!
}

/** 0 of nothing. */
function median(values: readonly number[]): number {
  if (values.length === 0) return 0
  const sorted = Float64Array.from(values).sort()
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2
}
