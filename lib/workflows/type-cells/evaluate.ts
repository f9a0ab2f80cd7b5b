/** How right the model is in reference cells that it had not seen: by type, and whether its confidence keeps its word. */
import type { Calibration, HeldOut } from '../../labels/calibration.ts'
import { calibratedProbabilities } from '../../labels/calibration.ts'
import { bestMatch } from '../../labels/match.ts'
import { accuracyAt, type ReliabilityBin } from '../../labels/reliability.ts'

export interface TypeEvaluation {
  name: string
  /** held out */
  cells: number
  recall: number
  /** null where no cell was called so */
  precision: number | null
  f1: number
  /** the type that its cells were most often called instead */
  confusedWith: string | null
}

export interface Evaluation {
  /** why there is none */
  reason: string | null
  cells: number
  accuracy: number | null
  macroF1: number | null
  /** expected calibration error */
  ece: number | null
  reliability: ReliabilityBin[] | null
  /** of cells at or above the threshold: how many are right, and which share of all they are */
  expectedAccuracy: number | null
  expectedShare: number | null
  byType: TypeEvaluation[]
}

export function evaluate(
  heldOut: HeldOut,
  of: { calibration: Calibration; names: readonly string[]; threshold: number },
): Evaluation {
  const { calibration, names, threshold } = of
  const { labels } = heldOut
  const held = [...heldOut.codes.keys()].filter((cell) => !Number.isNaN(heldOut.scores[cell * labels]!))
  const { measured } = calibration
  if (measured === null)
    return {
      ...{ reason: `only ${held.length} reference cells could be held out`, cells: held.length, byType: [] },
      ...{ accuracy: null, macroF1: null, ece: null, reliability: null },
      ...{ expectedAccuracy: null, expectedShare: null },
    }
  const called = bestMatch(heldOut.scores, labels)
  const probabilities = calibratedProbabilities(heldOut.scores, { calibration })
  const confidence = Float64Array.from(held, (cell) => probabilities[cell * labels + called[cell]!]!)
  const correct = Uint8Array.from(held, (cell) => Number(called[cell] === heldOut.codes[cell]))
  const at = accuracyAt(confidence, { threshold, correct })
  const byType = confusion(held, { codes: heldOut.codes, called, names })
  return {
    reason: null,
    cells: held.length,
    accuracy: measured.accuracy,
    macroF1: byType.reduce((sum, { f1 }) => sum + f1, 0) / Math.max(1, byType.length),
    ece: measured.expectedCalibrationError,
    reliability: measured.reliability,
    expectedAccuracy: at.cells === 0 ? null : at.accuracy,
    expectedShare: at.share,
    byType,
  }
}

function confusion(
  held: readonly number[],
  of: { codes: Int32Array; called: Int32Array; names: readonly string[] },
): TypeEvaluation[] {
  const { codes, called, names } = of
  const labels = names.length
  const counts = new Float64Array(labels * labels)
  for (const cell of held) counts[codes[cell]! * labels + called[cell]!]! += 1
  return names.flatMap((name, label) => {
    const own = counts.subarray(label * labels, (label + 1) * labels)
    const cells = own.reduce((sum, count) => sum + count, 0)
    if (cells === 0) return []
    const right = own[label]!
    const calls = names.reduce((sum, _, other) => sum + counts[other * labels + label]!, 0)
    const wrong = own.reduce(
      (most, count, other) => (other !== label && count > own[most]! ? other : most),
      label === 0 ? 1 : 0,
    )
    const confusedWith = wrong !== label && own[wrong]! > 0 ? names[wrong]! : null
    const f1 = (2 * right) / (cells + calls)
    return [
      {
        name,
        cells,
        recall: right / cells,
        precision: calls === 0 ? null : right / calls,
        f1,
        confusedWith,
      },
    ]
  })
}
