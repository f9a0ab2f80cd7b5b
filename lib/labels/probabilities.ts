/** What scores are: each label's own logit (`ovr`: their sigmoids need not add up to 1), logits of one softmax, or probabilities already. */
export type ScoreKind = 'ovr' | 'multinomial' | 'probabilities'

/** Cells x labels, in memory of their own. */
export function probabilitiesOf<Scores extends Float32Array | Float64Array>(
  scores: Scores,
  { labels, loss }: { labels: number; loss: ScoreKind },
): Scores {
  const probabilities = scores.slice() as Scores
  if (loss === 'probabilities') return probabilities
  if (loss === 'ovr') {
    for (let k = 0; k < scores.length; k++) probabilities[k] = 1 / (1 + Math.exp(-scores[k]!))
    return probabilities
  }
  for (let start = 0; start < scores.length; start += labels) {
    let highest = Number.NEGATIVE_INFINITY
    for (let k = start; k < start + labels; k++) highest = Math.max(highest, scores[k]!)
    let sum = 0
    for (let k = start; k < start + labels; k++) sum += Math.exp(scores[k]! - highest)
    for (let k = start; k < start + labels; k++) probabilities[k] = Math.exp(scores[k]! - highest) / sum
  }
  return probabilities
}
