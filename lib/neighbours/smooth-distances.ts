/**
 * Smooth kNN distances (McInnes, Healy and Melville 2018, section 3.1; numbers as umap-learn): for each row the distance rho from
 * which memberships start to fall, and the scale sigma at which they add up to log2 k.
 *
 * The search for sigma leaves out column 0, which holds the point itself; umap-learn does so too where it does not (transform). Its floor
 * for sigma is a share of the mean distance, there of all rows where rho is 0; for points placed among others it is of their own row here.
 */
import type { Neighbours } from './points.ts'

const iterations = 64
const tolerance = 1e-5
const smallestShareOfMean = 1e-3

export interface SmoothDistances {
  sigma: Float32Array
  rho: Float32Array
}

/**
 * @param options.localConnectivity 1: rho is the distance of the nearest neighbour that lies apart; 0: rho is 0, for points that are
 *   placed among others. Then no number depends on the other rows
 */
export function smoothDistances(
  neighbours: Neighbours,
  { localConnectivity }: { localConnectivity: 0 | 1 },
): SmoothDistances {
  const { rows, k, distances } = neighbours
  const sigma = new Float32Array(rows)
  const rho = new Float32Array(rows)
  const target = Math.log2(k)
  const overallMean = mean(distances)
  for (let row = 0; row < rows; row++) {
    const own = distances.subarray(row * k, (row + 1) * k)
    const start = localConnectivity === 1 ? smallestAboveZero(own) : 0
    rho[row] = start
    const least = smallestShareOfMean * (start > 0 || localConnectivity === 0 ? mean(own) : overallMean)
    sigma[row] = Math.max(scaleFor(own, { start, target }), least)
  }
  return { sigma, rho }
}

/** By halving and doubling: the scale at which sum over columns 1.. of exp(-(d - start) / scale) is the target. */
function scaleFor(distances: Float32Array, { start, target }: { start: number; target: number }): number {
  let low = 0
  let high = Number.POSITIVE_INFINITY
  let scale = 1
  for (let i = 0; i < iterations; i++) {
    let sum = 0
    for (let j = 1; j < distances.length; j++) {
      const beyond = distances[j]! - start
      sum += beyond > 0 ? Math.exp(-beyond / scale) : 1
    }
    if (Math.abs(sum - target) < tolerance) break
    if (sum > target) high = scale
    else low = scale
    scale = high === Number.POSITIVE_INFINITY ? scale * 2 : (low + high) / 2
  }
  return scale
}

function smallestAboveZero(distances: Float32Array): number {
  let smallest = Number.POSITIVE_INFINITY
  for (const distance of distances) if (distance > 0 && distance < smallest) smallest = distance
  return smallest === Number.POSITIVE_INFINITY ? 0 : smallest
}

function mean(values: Float32Array): number {
  let sum = 0
  for (const value of values) sum += value
  return values.length === 0 ? 0 : sum / values.length
}
