/** What a decoder is asked to do, before machines are chosen: nothing where nothing is asked, and never less where there is more. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkSettings } from '../../lib/job/manifest.ts'
import { decodeWork } from '../../lib/workflows/road/decode-work.ts'

const mapping = (more: object = {}) =>
  checkSettings({ workflow: 'map-atlas', query: 'q.h5ad', model: 'm', ...more }, 'test')
const fitting = (more: object = {}) =>
  checkSettings({ workflow: 'fit-reference', atlas: 'a.h5ad', name: 'n', batch_key: 'b', ...more }, 'test')
const size = (cells: number) => ({ cells, genes: 30_000, stored: 1000 * cells })
const of = { query: size(1_000_000), atlas: size(500_000), genes: 2000 }
const expression = { normalized_expression: true }

describe('the work of a decoder', () => {
  it('is none where neither ELBO nor expression is asked for, and none of other workflows', () => {
    expect(decodeWork(mapping({ elbo: false }), of)).toBeUndefined()
    expect(decodeWork(fitting(), of)).toBeUndefined()
    expect(
      decodeWork(checkSettings({ workflow: 'annotate', query: 'q', model: 'm' }, 'test'), of),
    ).toBeUndefined()
  })

  it('is a hundred seconds for the ELBO of 1.5 million cells, and no file', () => {
    const { embed, bytes } = decodeWork(mapping(), of)!
    expect(embed).toBeCloseTo(100, 6)
    expect(bytes).toBe(0)
  })

  it('makes a file of the query, of both where both are written, of some genes where some are wanted', () => {
    expect(decodeWork(mapping(expression), of)!.bytes).toBe(8e9)
    const extend = { ...expression, mode: 'extend', atlas: 'a.h5ad' }
    expect(decodeWork(mapping(extend), of)!.bytes).toBe(12e9)
    expect(decodeWork(fitting({ ...expression, expression_genes: ['A', 'B'] }), of)!.bytes).toBe(8e6)
  })

  it('never falls with more cells, genes, draws or batches', () => {
    const some = fc.integer({ min: 1, max: 3_000_000 })
    fc.assert(
      fc.property(some, some, fc.integer({ min: 1, max: 100 }), (cells, genes, draws) => {
        const settings = { ...expression, n_samples: draws, transform_batch: ['x'] }
        const more = { ...expression, n_samples: draws + 1, transform_batch: ['x', 'y'] }
        const less = decodeWork(mapping(settings), { query: size(cells), genes })!
        const larger = decodeWork(mapping(more), { query: size(cells + 1), genes: genes + 1 })!
        expect(larger.embed).toBeGreaterThan(less.embed)
        expect(larger.bytes).toBeGreaterThan(less.bytes)
        expect(larger.publish).toBeGreaterThan(less.publish)
      }),
    )
  })
})
