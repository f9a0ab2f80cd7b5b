/** Samples without chance: the quantiles of a Gaussian at (i + 1/2) / n. */
import { normalSurvival } from '../../lib/labels/normal-tail.ts'

export function quantileGrid(size: number, mean: number, deviation: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => mean + deviation * quantile((i + 0.5) / size))
}

function quantile(share: number): number {
  let [low, high] = [-10, 10]
  for (let round = 0; round < 60; round++) {
    const middle = (low + high) / 2
    if (1 - normalSurvival(middle) < share) low = middle
    else high = middle
  }
  return (low + high) / 2
}
