/**
 * Where a one-dimensional mixture begins: k-means as scikit-learn starts its GaussianMixture with it, centres drawn by greedy k-means++
 * (2 + log k candidates for each, the one that leaves least distance is taken), then Lloyd's rounds until nothing changes.
 * On a line clusters are ranges of the sorted values, so a clustering is where each range ends.
 */
import type { Random } from '../job/random.ts'

/** Finite values, each once, ascending, and how often each occurs. */
export interface ValueCounts {
  values: Float64Array
  counts: Float64Array
  total: number
}

export function countValues(values: Float64Array): ValueCounts {
  const sorted = values.slice().sort()
  const distinct = new Float64Array(sorted.length)
  const counts = new Float64Array(sorted.length)
  let size = 0
  for (let i = 0; i < sorted.length; i++) {
    if (size === 0 || sorted[i] !== distinct[size - 1]) distinct[size++] = sorted[i]!
    counts[size - 1]! += 1
  }
  return { values: distinct.slice(0, size), counts: counts.slice(0, size), total: sorted.length }
}

const mostRounds = 300

/** For each of `clusters` ranges the place behind its last value; needs as many distinct values as clusters. */
export function clusterLine(sample: ValueCounts, clusters: number, generator: Random): Int32Array {
  const centres = drawCentres(sample, clusters, generator).sort()
  const stillness = 1e-4 * variance(sample)
  let ends = assign(sample, centres)
  for (let round = 0; round < mostRounds; round++) {
    const shift = moveCentres(sample, { ends, centres })
    centres.sort()
    const next = assign(sample, centres)
    const isSame = next.every((end, i) => end === ends[i])
    ends = next
    if (isSame || shift <= stillness) break
  }
  return ends
}

function drawCentres(
  { values, counts, total }: ValueCounts,
  clusters: number,
  generator: Random,
): Float64Array {
  const candidates = 2 + Math.floor(Math.log(clusters))
  const centres = new Float64Array(clusters)
  centres[0] = values[pick(counts, generator.uniform() * total)]!
  // what each value weighs in the next draw: its cells times its squared distance from the nearest centre
  let weights = values.map((value, i) => counts[i]! * (value - centres[0]!) ** 2)
  for (let cluster = 1; cluster < clusters; cluster++) {
    const potential = weights.reduce((sum, weight) => sum + weight, 0)
    let best: { centre: number; weights: Float64Array<ArrayBuffer>; left: number } | undefined
    for (let tried = 0; tried < candidates; tried++) {
      const centre = values[pick(weights, generator.uniform() * potential)]!
      const after = weights.map((weight, i) => Math.min(weight, counts[i]! * (values[i]! - centre) ** 2))
      const left = after.reduce((sum, weight) => sum + weight, 0)
      if (best === undefined || left < best.left) best = { centre, weights: after, left }
    }
    centres[cluster] = best!.centre
    weights = best!.weights
  }
  return centres
}

/** The place that a point on the line of all weights falls on; one without weight never. */
function pick(weights: Float64Array, point: number): number {
  let passed = 0
  let last = 0
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue
    last = i
    passed += weights[i]!
    if (passed > point) return i
  }
  return last
}

/** Values nearer to the next centre than to this begin the next range. */
function assign({ values }: ValueCounts, centres: Float64Array): Int32Array {
  const ends = new Int32Array(centres.length).fill(values.length)
  let at = 0
  for (let cluster = 0; cluster + 1 < centres.length; cluster++) {
    const border = (centres[cluster]! + centres[cluster + 1]!) / 2
    while (at < values.length && values[at]! <= border) at++
    ends[cluster] = at
  }
  return ends
}

/** Moves centres to the means of their ranges, one without values to the value farthest from its centre; the sum of squared moves. */
function moveCentres(
  sample: ValueCounts,
  { ends, centres }: { ends: Int32Array; centres: Float64Array },
): number {
  const before = centres.slice()
  let farthest = { value: before[0]!, distance: -1 }
  const empty: number[] = []
  for (let cluster = 0, from = 0; cluster < centres.length; from = ends[cluster++]!) {
    let cells = 0
    let sum = 0
    for (let i = from; i < ends[cluster]!; i++) {
      cells += sample.counts[i]!
      sum += sample.counts[i]! * sample.values[i]!
      const distance = Math.abs(sample.values[i]! - before[cluster]!)
      if (distance > farthest.distance) farthest = { value: sample.values[i]!, distance }
    }
    if (cells === 0) empty.push(cluster)
    else centres[cluster] = sum / cells
  }
  for (const cluster of empty) centres[cluster] = farthest.value
  return centres.reduce((sum, centre, i) => sum + (centre - before[i]!) ** 2, 0)
}

function variance({ values, counts, total }: ValueCounts): number {
  const mean = values.reduce((sum, value, i) => sum + counts[i]! * value, 0) / total
  return values.reduce((sum, value, i) => sum + counts[i]! * (value - mean) ** 2, 0) / total
}
