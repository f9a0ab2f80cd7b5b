/**
 * How sure a label is. Uncertainty as CELLxGENE Annotate has it: 1 less the highest probability. Confidence as CellTypist's
 * `conf_score`: the highest probability, or that of the label that won the vote.
 *
 * Trap: sigmoids of one-vs-rest models do not add up to 1; `normalised` makes shares of them first. Where all are 0 (scores of SGD
 * models are that low), every label is equally likely.
 */

/** float32, one a cell, in [0, 1]: 0 sure, 1 unsure. */
export function uncertainty(
  probabilities: Float64Array | Float32Array,
  { labels, normalised = false }: { labels: number; normalised?: boolean },
): Float32Array {
  return eachCell(probabilities, labels, (start) => {
    let highest = 0
    let sum = 0
    for (let k = start; k < start + labels; k++) {
      highest = Math.max(highest, probabilities[k]!)
      sum += probabilities[k]!
    }
    if (!normalised) return 1 - highest
    return sum === 0 ? 1 - 1 / labels : 1 - highest / sum
  })
}

/**
 * float32, one a cell: the highest probability, or with `voted` that of the label voted for; -1 there (no winner) takes the highest.
 */
export function confidence(
  probabilities: Float64Array | Float32Array,
  { labels, voted }: { labels: number; voted?: Int32Array },
): Float32Array {
  return eachCell(probabilities, labels, (start, cell) => {
    const label = voted?.[cell] ?? -1
    if (label >= 0) return probabilities[start + label]!
    let highest = 0
    for (let k = start; k < start + labels; k++) highest = Math.max(highest, probabilities[k]!)
    return highest
  })
}

function eachCell(
  probabilities: Float64Array | Float32Array,
  labels: number,
  of: (start: number, cell: number) => number,
): Float32Array {
  const values = new Float32Array(probabilities.length / labels)
  for (let cell = 0; cell < values.length; cell++) values[cell] = of(cell * labels, cell)
  return values
}
