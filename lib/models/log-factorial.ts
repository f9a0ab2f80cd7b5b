/** log(x!) of counts, which need not be whole: what likelihoods of counts leave out, because it depends on the data alone. */

const tableSize = 1024
const shift = 8

/** log-gamma(x + 1) for x >= 0, to double precision: Stirling's series behind eight steps of the recurrence, from a table where x is whole and small. */
export function logFactorials(): (x: number) => number {
  const table = new Float64Array(tableSize)
  for (let x = 2; x < tableSize; x++) table[x] = table[x - 1]! + Math.log(x)
  return (x) => (x < tableSize && Number.isInteger(x) ? table[x]! : logGamma(x + 1))
}

function logGamma(z: number): number {
  let steps = 1
  for (let i = 0; i < shift; i++) steps *= z + i
  const w = z + shift
  const one = 1 / w
  const square = one * one
  const series =
    one * (1 / 12 + square * (-1 / 360 + square * (1 / 1260 + square * (-1 / 1680 + square / 1188))))
  return (w - 0.5) * Math.log(w) - w + 0.5 * Math.log(2 * Math.PI) + series - Math.log(steps)
}
