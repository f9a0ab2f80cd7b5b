/**
 * New points in a UMAP layout that stays as it is: each starts at the weighted mean of its neighbours' places and is then drawn and
 * pushed as in the layout, a third as long and a quarter as far (as umap-learn's transform).
 *
 * Unlike umap-learn's, a point's place depends on its own neighbours only: every point draws the same chance numbers and measures its
 * edges by its own heaviest one. So shards of a file, or a file and one cell of it, agree.
 */
import { random } from '../job/random.ts'
import { membershipStrengths } from './fuzzy-graph.ts'
import { pause } from './pause.ts'
import type { Neighbours } from './points.ts'
import { smoothDistances } from './smooth-distances.ts'
import type { UmapCurve } from './umap-curve.ts'
import { tabulateForces } from './umap-forces.ts'
import { type Descent, descend, initialWords } from './umap-layout.ts'

/** What placing needs of a layout; plain numbers, to be stored with a reference. */
export interface UmapModel extends UmapCurve {
  /** reference points x 2 */
  layout: Float32Array
}

export interface PlaceOptions {
  /** whole number in [0, 2^32) */
  seed: number
  /** 100 up to 10,000 reference points, then 30 */
  epochs?: number
  /** strangers pushed off for each neighbour drawn near, 5 */
  negativeSamples?: number
  /** first step of the layout, 1; a quarter of it is the first here */
  learningRate?: number
  /** weight of pushing off, 1 */
  repulsion?: number
  onProgress?: (share: number) => void
  signal?: AbortSignal
}

/** edges times epochs between two looks at the event loop */
const turnsAtOnce = 2_000_000

/**
 * @param neighbours of every new point among the reference points, nearest first
 * @returns new points x 2
 * @throws RangeError when a neighbour is not a reference point or an option is out of range; the signal's reason
 */
export async function transform(
  model: UmapModel,
  neighbours: Neighbours,
  options: PlaceOptions,
): Promise<Float32Array<ArrayBuffer>> {
  const { rows, k } = neighbours
  const { seed, negativeSamples = 5, learningRate = 1, repulsion = 1 } = options
  const epochs = options.epochs ?? (model.layout.length / 2 <= 10_000 ? 100 : 30)
  for (const count of [epochs, negativeSamples])
    if (!Number.isInteger(count) || count < 0) throw new RangeError(`${count} is not a whole number from 0`)
  checkReferences(neighbours, model.layout.length / 2)

  const smooth = smoothDistances(neighbours, { localConnectivity: 0 })
  const strengths = membershipStrengths(neighbours, { ...smooth, amongOthers: true })
  const layout = weightedMeans(model.layout, neighbours, strengths)
  const period = turnPeriods(strengths, { k, epochs })
  const descent: Descent = {
    layout,
    others: model.layout,
    heads: Int32Array.from(strengths, (_, at) => Math.floor(at / k)),
    tails: neighbours.indices,
    period,
    due: period.slice(),
    forces: tabulateForces(model, { repulsion }),
    negativeSamples,
    words: initialWords(random(seed).fork('descent').state()),
  }
  await descendByRow(descent, { ...options, rows, k, epochs, firstStep: learningRate / 4 })
  return layout
}

function checkReferences({ indices }: Neighbours, references: number): void {
  for (const index of indices)
    if (index < 0 || index >= references)
      throw new RangeError(`neighbour ${index} is not one of ${references} reference points`)
}

async function descendByRow(
  descent: Descent,
  options: Pick<PlaceOptions, 'onProgress' | 'signal'> & {
    rows: number
    k: number
    epochs: number
    firstStep: number
  },
): Promise<void> {
  const { rows, k, epochs, firstStep, onProgress, signal } = options
  const chance = descent.words.slice()
  const rowsAtOnce = Math.max(1, Math.floor(turnsAtOnce / (k * Math.max(epochs, 1))))
  for (let row = 0; row < rows; row++) {
    descent.words.set(chance)
    for (let epoch = 0; epoch < epochs; epoch++) {
      const step = firstStep * (1 - epoch / epochs)
      descend(descent, { epoch, step, from: row * k, to: (row + 1) * k })
    }
    if ((row + 1) % rowsAtOnce !== 0) continue
    onProgress?.((row + 1) / rows)
    await pause(signal)
  }
  onProgress?.(1)
}

/** A point at distance 0 of a reference point is put in its place. */
function weightedMeans(
  layout: Float32Array,
  { rows, k, indices }: Neighbours,
  strengths: Float32Array,
): Float32Array<ArrayBuffer> {
  const places = new Float32Array(rows * 2)
  for (let row = 0; row < rows; row++) {
    let [x, y, total] = [0, 0, 0]
    const nearest = indices[row * k]! * 2
    for (let at = row * k; at < (row + 1) * k; at++) {
      const strength = strengths[at]!
      const reference = indices[at]! * 2
      if (strength === 1) {
        ;[x, y, total] = [layout[reference]!, layout[reference + 1]!, 1]
        break
      }
      x += strength * layout[reference]!
      y += strength * layout[reference + 1]!
      total += strength
    }
    // with one neighbour, far away, the only strength may have vanished in rounding
    places[row * 2] = total > 0 ? x / total : layout[nearest]!
    places[row * 2 + 1] = total > 0 ? y / total : layout[nearest + 1]!
  }
  return places
}

/** Epochs between two turns of each edge; none for those too weak to have one. */
function turnPeriods(strengths: Float32Array, { k, epochs }: { k: number; epochs: number }): Float64Array {
  const period = new Float64Array(strengths.length)
  for (let start = 0; start < strengths.length; start += k) {
    let most = 0
    for (let at = start; at < start + k; at++) most = Math.max(most, strengths[at]!)
    for (let at = start; at < start + k; at++) {
      const turns = strengths[at]! / most
      period[at] = turns * epochs >= 1 ? 1 / turns : Number.POSITIVE_INFINITY
    }
  }
  return period
}
