/** Law: what batches and covariates become as numbers of a model, and how well cells of two files mix. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ScviSetup } from '../../lib/models/scvi-model.ts'
import { jointGenes } from '../../lib/workflows/map-atlas/joint-file.ts'
import { joinAtlasObs } from '../../lib/workflows/map-atlas/joint-obs.ts'
import { mixingOf } from '../../lib/workflows/map-atlas/mixing.ts'
import { codedTexts } from '../../lib/workflows/parts/coded.ts'
import { codeCovariates, type SourceCells } from '../../lib/workflows/parts/covariate-codes.ts'

const setup = (batches: string[], column: string | null = 'sample'): ScviSetup => ({
  layer: null,
  batch: { column, categories: batches, type: 'text' },
  categorical: [],
  continuous: [],
  labels: { column: null, categories: ['0'], type: 'text' },
})
const source = (texts: string[], isAtlas = false): SourceCells => ({
  place: isAtlas ? 'atlas' : 'query',
  isAtlas,
  batch: codedTexts(texts),
  categorical: [],
})
const names = fc.constantFrom('a', 'b', 'c', 'd', '__proto__', 'constructor', '')

describe('batches as numbers of a model', () => {
  it('are those of the model for what it knows, and new ones behind them for what it is to learn', () => {
    const coded = codeCovariates([source(['b', '', 'a'], true), source(['c', 'b', '__proto__'])], {
      mode: 'extend',
      setup: setup(['a', 'b']),
      encodesBatches: true,
    })
    expect(coded.batches).toEqual({ reference: ['a', 'b'], added: ['__proto__', 'c'], average: null })
    expect([...coded.categories[0]!]).toEqual([1, -1, 0, 3, 1, 2])
  })

  it('are the average one for what nobody is to learn', () => {
    const rules = { mode: 'frozen', setup: setup(['a', 'b']), encodesBatches: true } as const
    const coded = codeCovariates([source(['c', 'a'])], rules)
    expect(coded.batches.average).toBe('average batch')
    expect([...coded.categories[0]!]).toEqual([2, 0])
    expect(coded.notices.map(({ code }) => code)).toEqual(['BATCH_UNKNOWN'])
  })

  it('do not matter to an encoder that ignores them, and no cell is lost for want of one', () => {
    const rules = { mode: 'frozen', setup: setup(['a']), encodesBatches: false } as const
    const coded = codeCovariates([source(['c', '', 'a'])], rules)
    expect([...coded.categories[0]!]).toEqual([0, 0, 0])
    expect(coded.notices).toEqual([])
  })

  it('of a model without batches are one, and all of a query are new to it, whatever they are called', () => {
    const coded = codeCovariates([source(['x'], true), source(['0', '1'])], {
      mode: 'extend',
      setup: setup(['0'], null),
      encodesBatches: true,
    })
    expect([...coded.categories[0]!]).toEqual([0, 1, 2])
    expect(coded.batches.added).toEqual(['0', '1'])
  })

  it('are within what the model will have, for any names', () => {
    fc.assert(
      fc.property(
        fc.array(names, { maxLength: 8 }),
        fc.array(names, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('frozen' as const, 'extend' as const),
        (atlas, query, mode) => {
          const coded = codeCovariates([source(atlas, true), source(query)], {
            mode,
            setup: setup(['a', 'b']),
            encodesBatches: true,
          })
          const { reference, added, average } = coded.batches
          const all = [...reference, ...added, ...(average === null ? [] : [average])]
          expect(new Set(all).size).toBe(all.length)
          for (const [cell, code] of coded.categories[0]!.entries()) {
            const name = [...atlas, ...query][cell]!
            if (name === '') expect(code).toBe(-1)
            else expect([name, average]).toContain(all[code])
          }
        },
      ),
    )
  })
})

describe('the genes of a joint file', () => {
  it('are those of the atlas that a gene of the query is, in its order, each with the first such gene', () => {
    const genes = jointGenes([4, -1, 0, 4, 2])
    expect([...genes.atlas]).toEqual([0, 2, 4])
    expect([...genes.query]).toEqual([2, 4, 0])
  })
})

describe('how query and atlas mix', () => {
  const found = (rows: number, others: (row: number) => number[]) => ({
    ...{ rows, k: 3, distances: new Float32Array(3 * rows) },
    indices: Int32Array.from(Array.from({ length: rows }, (_, row) => [row, ...others(row)]).flat()),
  })

  it('is 0 where they lie apart, and all of the query is alone', () => {
    const apart = found(8, (row) =>
      row < 4 ? [(row + 1) % 4, (row + 2) % 4] : [4 + ((row + 1) % 4), 4 + ((row + 2) % 4)],
    )
    expect(mixingOf(apart, (row) => Number(row < 4))).toEqual({ ratio: 0, alone: 1, neighbours: 2 })
  })

  it('is the share that chance gives where every cell has all others for neighbours', () => {
    const every = {
      rows: 3,
      k: 3,
      distances: new Float32Array(9),
      indices: Int32Array.of(0, 1, 2, 1, 0, 2, 2, 0, 1),
    }
    expect(mixingOf(every, (row) => Number(row === 0))?.ratio).toBeCloseTo(1, 12)
  })

  it('is not assessed without an atlas, or without a query', () => {
    const cells = found(4, (row) => [(row + 1) % 4, (row + 2) % 4])
    expect(mixingOf(cells, () => 0)).toBeNull()
    expect(mixingOf(cells, () => 1)).toBeNull()
  })
})

describe('obs of two files', () => {
  it('leaves out what is written anew, and nothing else', () => {
    const table = (name: string, column: string) => ({
      rows: 1,
      indexName: '_index',
      index: [name],
      columns: new Map([[column, { kind: 'string' as const, values: ['v'] }]]),
    })
    const joined = joinAtlasObs(
      { atlas: table('x', 'source'), query: table('y', 'kept') },
      { without: ['source'] },
    )
    expect([...joined.table.columns.keys()]).toEqual(['kept'])
    expect(joined.table.index).toEqual(['x', 'y'])
    expect(joined.notices).toEqual([])
  })
})
