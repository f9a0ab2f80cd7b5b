/** What becomes of each cell: its class, or why it has none. */
import { heterogeneous } from '../../labels/majority-vote.ts'
import { unassigned } from '../../labels/match.ts'
import { type Assignment, lowCount, reasons } from '../../labels/thresholds.ts'

/** All that a cell can be, and why. */
export interface Outcome {
  /** classes of the model, then what is no class; what the codes below count */
  categories: string[]
  /** the class of highest score, or of the cell's cluster */
  predicted: Int32Array
  /** the same, or the broader class taken in its place */
  called: Int32Array
  /** called, or why not */
  labels: Int32Array
  /** of `outcomeReasons` */
  reasons: Int32Array
}

/** Those of the thresholds, then a cluster without a majority and markers that say otherwise. */
export const outcomeReasons = [...reasons, 'heterogeneous', 'markers']
const byVote = outcomeReasons.indexOf('heterogeneous')
const byMarkers = outcomeReasons.indexOf('markers')

/** @param of.predicted and of.called -1 where the cell's cluster has no majority */
export function outcomeOf(
  classes: readonly string[],
  of: { predicted: Int32Array; called: Int32Array; assigned: Assignment },
): Outcome {
  const { predicted, called, assigned } = of
  // a class of the references may be called "Unassigned" too, where such labels are not excluded
  const categories = [...new Set([...classes, unassigned, lowCount, heterogeneous])]
  const codeOf = new Map(categories.map((name, code) => [name, code]))
  const none = codeOf.get(heterogeneous)!
  const coded = (codes: Int32Array) => codes.map((code) => (code < 0 ? none : code))
  return {
    categories,
    predicted: coded(predicted),
    called: coded(called),
    labels: predicted.map((code, cell) => (code < 0 ? none : codeOf.get(assigned.names[cell]!)!)),
    reasons: predicted.map((code, cell) => (code < 0 ? byVote : assigned.reasonCodes[cell]!)),
  }
}

/** A cell that has a class loses it because its markers speak against it. */
export function unassign({ categories, labels, reasons: why }: Outcome, cell: number): void {
  const hasClass = outcomeReasons[why[cell]!] === 'assigned' || outcomeReasons[why[cell]!] === 'broadened'
  if (!hasClass) return
  labels[cell] = categories.indexOf(unassigned)
  why[cell] = byMarkers
}
