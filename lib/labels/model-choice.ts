/**
 * Which of several models a cell is labelled by: the one that gives its own best label the highest probability, as SpatialCore's
 * annotate_celltypist takes the largest sigmoid. Here probabilities are compared by their logits: beyond scores of 37 every sigmoid is 1,
 * and stochastic descents score in thousands, so that the order of the models would decide.
 */
import type { ScoreKind } from './probabilities.ts'

/**
 * For each cell the logit of the highest probability that a model gives: of `ovr` the highest score itself, of `multinomial` by how much
 * it exceeds the others taken together. Of probabilities, which are compared with none of another model, the highest.
 * @param scores cells x labels
 */
export function claimsOf(
  scores: Float32Array | Float64Array,
  { labels, loss }: { labels: number; loss: ScoreKind },
): Float64Array {
  const claims = new Float64Array(scores.length / labels)
  for (let cell = 0; cell < claims.length; cell++) {
    const start = cell * labels
    let best = start
    for (let k = start + 1; k < start + labels; k++) if (scores[k]! > scores[best]!) best = k
    claims[cell] =
      loss === 'multinomial' ? scores[best]! - logOfOthers(scores, { start, labels, best }) : scores[best]!
  }
  return claims
}

/** Log of the sum of exponentials of all scores of a cell but one. */
function logOfOthers(
  scores: Float32Array | Float64Array,
  { start, labels, best }: { start: number; labels: number; best: number },
): number {
  let highest = Number.NEGATIVE_INFINITY
  for (let k = start; k < start + labels; k++) if (k !== best) highest = Math.max(highest, scores[k]!)
  let sum = 0
  for (let k = start; k < start + labels; k++) if (k !== best) sum += Math.exp(scores[k]! - highest)
  return highest + Math.log(sum)
}

/** The rows that these claims are the highest for so far, kept in `best`; of equal ones the first model's stay. */
export function cellsWon(claims: Float64Array, best: Float64Array): Int32Array {
  const won = new Int32Array(claims.length)
  let count = 0
  for (let cell = 0; cell < claims.length; cell++) {
    if (!(claims[cell]! > best[cell]!)) continue
    best[cell] = claims[cell]!
    won[count++] = cell
  }
  return won.subarray(0, count)
}

/** Labels of all models, each once, in the order of the models; and of each label of each model its number among them. */
export function unionOfLabels(models: readonly (readonly string[])[]): {
  labels: string[]
  places: Int32Array[]
} {
  const numbers = new Map<string, number>()
  const places = models.map((labels) =>
    Int32Array.from(labels, (label) => {
      const number = numbers.get(label) ?? numbers.size
      numbers.set(label, number)
      return number
    }),
  )
  return { labels: [...numbers.keys()], places }
}

/** Raises probabilities of the union (cells x labels of all models) to those that one model gives. */
export function raiseProbabilities(
  union: { values: Float32Array; labels: number },
  { probabilities, places }: { probabilities: Float32Array; places: Int32Array },
): void {
  const width = places.length
  const cells = probabilities.length / width
  for (let cell = 0; cell < cells; cell++)
    for (let k = 0; k < width; k++) {
      const at = cell * union.labels + places[k]!
      union.values[at] = Math.max(union.values[at]!, probabilities[cell * width + k]!)
    }
}
