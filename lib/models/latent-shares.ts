/**
 * Places of a model whose latent space is logistic normal (`latent_distribution: ln` of scvi-tools): shares that add up to one, the softmax of a
 * normal draw. A cell's place is the mean of 5,000 of them, as there. The draws are the same for every cell, so that a place depends neither on
 * other cells nor on how these are divided.
 */
import { random } from '../job/random.ts'
import type { ScviShape } from './scvi-network.ts'

const draws = 5000

export interface PlaceRows {
  /** rows x latent */
  mean: Float32Array
  /** rows x latent */
  variance: Float32Array
}

/** Finds the mean place of rows, rows x latent: the mean itself of models whose space is the normal one. */
export function meanPlaces({ latent, latentDistribution }: ScviShape): (rows: PlaceRows) => Float32Array {
  if (latentDistribution !== 'ln') return ({ mean }) => mean
  let noise: Float32Array | undefined
  return ({ mean, variance }) => {
    noise ??= sharedDraws(latent)
    const places = new Float32Array(mean.length)
    for (let from = 0; from < mean.length; from += latent)
      places.set(meanShare(from, { mean, variance, latent, noise }), from)
    return places
  }
}

/** Pairs of opposite draws: their mean is 0. */
function sharedDraws(latent: number): Float32Array {
  const draw = random(0).fork('latent shares')
  const half = Float32Array.from({ length: (draws / 2) * latent }, () => draw.normal())
  return Float32Array.from({ length: draws * latent }, (_, i) =>
    i < half.length ? half[i]! : -half[i - half.length]!,
  )
}

function meanShare(
  from: number,
  { mean, variance, latent, noise }: PlaceRows & { latent: number; noise: Float32Array },
): Float64Array {
  const total = new Float64Array(latent)
  const scale = Float64Array.from({ length: latent }, (_, i) => Math.sqrt(variance[from + i]!))
  const place = new Float64Array(latent)
  for (let at = 0; at < noise.length; at += latent) {
    for (let i = 0; i < latent; i++) place[i] = mean[from + i]! + scale[i]! * noise[at + i]!
    intoShares(place)
    for (let i = 0; i < latent; i++) total[i]! += place[i]!
  }
  return total.map((sum) => sum / draws)
}

/** The softmax, in place. */
function intoShares(place: Float64Array | Float32Array): void {
  let most = Number.NEGATIVE_INFINITY
  for (const value of place) most = Math.max(most, value)
  let total = 0
  for (let i = 0; i < place.length; i++) total += place[i] = Math.exp(place[i]! - most)
  for (let i = 0; i < place.length; i++) place[i]! /= total
}

/** What the decoder takes of normal draws, rows x latent: themselves, or their shares, row by row. */
export function placesOfDraws(drawn: Float32Array, { latent, latentDistribution }: ScviShape): Float32Array {
  if (latentDistribution === 'ln')
    for (let from = 0; from < drawn.length; from += latent) intoShares(drawn.subarray(from, from + latent))
  return drawn
}
