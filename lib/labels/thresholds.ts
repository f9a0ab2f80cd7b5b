/**
 * Which calls stand. SpatialCore's filters: a confidence below the threshold (strictly) makes a cell "Unassigned", a label of fewer than 15
 * cells "Low_count". Ours adds cells out of reference, and says of each cell why it lost its label.
 *
 * Trap: "Unassigned" is no cell type, so it is never counted as one of few cells.
 */
import { unassigned } from './match.ts'
import { outOfReferenceThreshold } from './out-of-reference.ts'

export const lowCount = 'Low_count'

/** `broadened`: the label stands, but for a broader one than was called. */
export const reasons = [
  'assigned',
  'broadened',
  'below-threshold',
  'out-of-reference',
  'low-count',
  'not-scored',
] as const
export type Reason = (typeof reasons)[number]

export interface Calls {
  /** number of each cell's label in `labels`; -1 is none */
  codes: Int32Array
  labels: readonly string[]
  /** one a cell; NaN is not scored */
  confidence: Float32Array | Float64Array
}

export interface AssignOptions {
  /** 0.8 unless told; 0 or less lets every confidence pass, as there */
  threshold?: number
  /** tail probabilities of `outOfReferenceTails`; NaN counts as not flagged */
  outOfReference?: { tails: Float64Array; threshold?: number } | undefined
  /** labels with fewer cells lose them: 0, off, unless told */
  minCells?: number
  /** 1 where `broadenCalls` took a broader label */
  broadened?: Uint8Array | undefined
}

export interface Assignment {
  /** one a cell: a label, "Unassigned" or "Low_count" */
  names: string[]
  /** one a cell: its place in `reasons` */
  reasonCodes: Uint8Array
  /** cells of each reason */
  counts: Record<Reason, number>
}

/** Where several hold, the first of: not scored, out of reference, below the threshold, low count. */
export function assignLabels(
  { codes, labels, confidence }: Calls,
  { threshold = 0.8, outOfReference, minCells = 0, broadened }: AssignOptions = {},
): Assignment {
  for (const values of [confidence, outOfReference?.tails, broadened])
    if (values !== undefined && values.length !== codes.length)
      throw new RangeError(`${values.length} values for ${codes.length} labelled cells`)
  const reasonOf = (cell: number): Reason => {
    if (codes[cell]! < 0 || Number.isNaN(confidence[cell]!)) return 'not-scored'
    if (outOfReference && outOfReference.tails[cell]! < (outOfReference.threshold ?? outOfReferenceThreshold))
      return 'out-of-reference'
    if (threshold > 0 && confidence[cell]! < threshold) return 'below-threshold'
    return broadened?.[cell] === 1 ? 'broadened' : 'assigned'
  }
  const found = Array.from(codes, (_, cell) => reasonOf(cell))
  const stands = (cell: number): boolean => found[cell] === 'assigned' || found[cell] === 'broadened'
  const sizes = new Int32Array(labels.length)
  for (const [cell, code] of codes.entries()) if (stands(cell)) sizes[code]! += 1
  const names = Array.from(codes, (code, cell) => {
    if (!stands(cell)) return unassigned
    if (sizes[code]! >= minCells) return labels[code]!
    found[cell] = 'low-count'
    return lowCount
  })
  const counts = Object.fromEntries(reasons.map((reason) => [reason, 0])) as Record<Reason, number>
  for (const reason of found) counts[reason] += 1
  return { names, reasonCodes: Uint8Array.from(found, (reason) => reasons.indexOf(reason)), counts }
}
