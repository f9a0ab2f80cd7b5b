import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FeedSpec } from '../../lib/graph/feeds.ts'
import { random } from '../../lib/job/random.ts'
import { feedMaker } from '../../lib/models/minibatch-feeds.ts'
import type { Noise } from '../../lib/models/network.ts'
import { threeCells } from './three-cells.ts'

const feeds = new Map<string, FeedSpec>([
  ['places', { type: 'int32', group: 'entries' }],
  ['genes', { type: 'int32', group: 'entries' }],
  ['counts', { type: 'float32', group: 'entries' }],
  ['library', { type: 'float32', group: 'cells', width: 1 }],
  ['category 0', { type: 'int32', group: 'cells' }],
  ['labelled places', { type: 'int32', group: 'labelled entries' }],
  ['labelled classes', { type: 'int32', group: 'labelled' }],
  ['z', { type: 'float32', group: 'cells', width: 2 }],
  ['mask', { type: 'uint8', group: 'cells', each: 2, width: 3 }],
])
const noise = new Map<string, Noise>([
  ['z', 'normal'],
  ['mask', { keep: 0.5 }],
])
const graph = { feeds, noise }

const plain = (tensors: ReturnType<ReturnType<typeof feedMaker>['feed']>) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: Array.from(data, Number) },
    ]),
  )

describe('what minibatches are fed as', () => {
  it('has cells step after step, and the places of their entries within the step', () => {
    const steps = [Int32Array.of(2, 0), Int32Array.of(1)]
    const fed = plain(
      feedMaker(graph, threeCells()).feed({ cells: steps, labelled: [steps[1]!, steps[0]!] }, random(1)),
    )
    expect(fed).toMatchObject({
      'cells from': { data: [0, 2, 3] },
      'entries from': { data: [0, 5, 6] },
      'labelled entries from': { data: [0, 1, 6] },
      places: { data: [0, 1, 2, 4, 7, 2], shape: [6] },
      genes: { data: [0, 1, 2, 0, 3, 2] },
      counts: { data: [2, 3, 4, 5, 1, 7] },
      library: { data: [9, 6, 7], shape: [3, 1] },
      'category 0': { data: [1, 1, 0] },
      'labelled places': { data: [2, 0, 1, 2, 4, 7] },
      'labelled classes': { data: [-1, 1, 0] },
    })
    expect(fed.z!.shape).toEqual([3, 2])
    expect(fed.mask!.shape).toEqual([6, 3])
    expect(fed.mask!.data.every((kept) => kept === 0 || kept === 1)).toBe(true)
  })

  it('is the same whatever was laid out before, and however many steps are laid out at once', () => {
    const step = fc
      .uniqueArray(fc.nat(2), { minLength: 1, maxLength: 3 })
      .map((cells) => Int32Array.from(cells))
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), fc.nat(), (steps, seed) => {
        const used = feedMaker(graph, threeCells())
        const batches = { cells: steps, labelled: steps }
        const whole = plain(feedMaker(graph, threeCells()).feed(batches, random(seed)))
        used.feed({ cells: [...steps, ...steps], labelled: [...steps, ...steps] }, random(seed + 1))
        expect(plain(used.feed(batches, random(seed)))).toEqual(whole)
        const one = random(seed)
        const apart = steps.map((cells) => plain(used.feed({ cells: [cells], labelled: [cells] }, one)))
        for (const name of feeds.keys())
          expect(apart.flatMap((fed) => fed[name]!.data)).toEqual(whole[name]!.data)
      }),
      { numRuns: 60 },
    )
  })
})
