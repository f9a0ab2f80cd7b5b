import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FeedSpec } from '../../lib/graph/feeds.ts'
import { random } from '../../lib/job/random.ts'
import { feedMaker } from '../../lib/models/minibatch-feeds.ts'
import type { Noise } from '../../lib/models/network.ts'

const taken = new Map<string, FeedSpec>([
  ['z', { type: 'float32', group: 'cells', width: 2 }],
  ['mask', { type: 'uint8', group: 'cells', each: 2, width: 3 }],
  ['labelled mask', { type: 'uint8', group: 'labelled', width: 2 }],
])
const noise = new Map<string, Noise>([
  ['z', 'normal'],
  ['mask', { keep: 0.5 }],
  ['labelled mask', { keep: 0.5 }],
])
const graph = { feeds: { taken, groups: new Set(['cells', 'labelled']) }, noise }

const plain = (tensors: ReturnType<ReturnType<typeof feedMaker>['feed']>) =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: Array.from(data, Number) },
    ]),
  )

describe('what minibatches are fed as', () => {
  it('has the numbers of cells step after step, and noise for each', () => {
    const steps = [Int32Array.of(2, 0), Int32Array.of(1)]
    const fed = plain(feedMaker(graph).feed({ cells: steps, labelled: [steps[1]!, steps[0]!] }, random(1)))
    expect(fed).toMatchObject({
      'cells from': { data: [0, 2, 3] },
      'labelled from': { data: [0, 1, 3] },
      'cells numbers': { data: [2, 0, 1], shape: [3] },
      'labelled numbers': { data: [1, 2, 0] },
      z: { shape: [3, 2] },
      mask: { shape: [6, 3] },
      'labelled mask': { shape: [3, 2] },
    })
    expect(fed.mask!.data.every((kept) => kept === 0 || kept === 1)).toBe(true)
    expect(new Set(fed.z!.data).size).toBe(6)
  })

  it('is the same whatever was fed before, and however many steps are fed at once', () => {
    const step = fc
      .uniqueArray(fc.nat(20), { minLength: 1, maxLength: 9 })
      .map((cells) => Int32Array.from(cells))
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), fc.nat(), (steps, seed) => {
        const used = feedMaker(graph)
        const batches = { cells: steps, labelled: steps }
        const whole = plain(feedMaker(graph).feed(batches, random(seed)))
        used.feed({ cells: [...steps, ...steps], labelled: [...steps, ...steps] }, random(seed + 1))
        expect(plain(used.feed(batches, random(seed)))).toEqual(whole)
        const one = random(seed)
        const apart = steps.map((cells) => plain(used.feed({ cells: [cells], labelled: [cells] }, one)))
        for (const name of [...taken.keys(), 'cells numbers'])
          expect(apart.flatMap((fed) => fed[name]!.data)).toEqual(whole[name]!.data)
      }),
      { numRuns: 60 },
    )
  })
})
