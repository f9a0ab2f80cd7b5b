/**
 * Labels that a model gave against those that are known: how many are right, label by label, and what each is most often taken for. Labels that
 * no known cell has do not count in the mean F1, as in scikit-learn's macro average over the labels of the truth.
 */

export interface LabelResult {
  name: string
  /** that have it */
  cells: number
  /** share of them that were called so */
  recall: number
  /** share right of those called so; null where none was */
  precision: number | null
  f1: number
  /** the label that its cells were most often called instead; null where none was */
  confusedWith: string | null
}

export interface Confusion {
  /** whose label is known and that were called */
  cells: number
  /** null where there are none */
  accuracy: number | null
  macroF1: number | null
  byLabel: LabelResult[]
  /** names x names, row by row: cells of a label by what they were called */
  counts: number[]
}

/**
 * @param truth label of each cell, -1 where it is not known
 * @param of.called what each was called, -1 for nothing
 */
export function confusionOf(
  truth: Int32Array,
  { called, names }: { called: Int32Array; names: readonly string[] },
): Confusion {
  const labels = names.length
  const counts = new Array<number>(labels * labels).fill(0)
  let [cells, right] = [0, 0]
  for (const [cell, own] of truth.entries()) {
    const call = called[cell]!
    if (own < 0 || call < 0) continue
    counts[own * labels + call]! += 1
    cells++
    if (own === call) right++
  }
  const byLabel = names.flatMap((_, label) => resultOf(label, { counts, names }))
  return {
    cells,
    accuracy: cells === 0 ? null : right / cells,
    macroF1: byLabel.length === 0 ? null : byLabel.reduce((sum, { f1 }) => sum + f1, 0) / byLabel.length,
    byLabel,
    counts,
  }
}

function resultOf(
  label: number,
  { counts, names }: { counts: readonly number[]; names: readonly string[] },
): LabelResult[] {
  const labels = names.length
  const own = counts.slice(label * labels, (label + 1) * labels)
  const cells = own.reduce((sum, count) => sum + count, 0)
  if (cells === 0) return []
  const right = own[label]!
  const calls = names.reduce((sum, _, other) => sum + counts[other * labels + label]!, 0)
  let wrong = -1
  for (const [other, count] of own.entries())
    if (other !== label && count > (wrong < 0 ? 0 : own[wrong]!)) wrong = other
  return [
    {
      name: names[label]!,
      cells,
      recall: right / cells,
      precision: calls === 0 ? null : right / calls,
      f1: (2 * right) / (cells + calls),
      confusedWith: wrong < 0 ? null : names[wrong]!,
    },
  ]
}
