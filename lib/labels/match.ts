/**
 * From scores or probabilities to labels, as CellTypist's "best match" and "prob match" do it. Matrices are cells x labels, rows
 * first. Trap: CellTypist 1.7.1 cuts "Unassigned" to the width of the longest label it found ("U"); here it is whole.
 */

export const unassigned = 'Unassigned'

/** For each cell the number of its highest score; of equal ones the first label. */
export function bestMatch(scores: Float64Array | Float32Array, labels: number): Int32Array {
  const best = new Int32Array(scores.length / labels)
  for (let cell = 0; cell < best.length; cell++) {
    const start = cell * labels
    let found = 0
    for (let k = 1; k < labels; k++) if (scores[start + k]! > scores[start + found]!) found = k
    best[cell] = found
  }
  return best
}

/** For each cell all labels whose probability is above the threshold, in the model's order, joined by "|"; "Unassigned" if none is. */
export function probabilityMatch(
  probabilities: Float64Array | Float32Array,
  { threshold, labels }: { threshold: number; labels: readonly string[] },
): string[] {
  return Array.from({ length: probabilities.length / labels.length }, (_, cell) => {
    const matches = labels.filter((_, k) => probabilities[cell * labels.length + k]! > threshold)
    return matches.length === 0 ? unassigned : matches.join('|')
  })
}
