/** Laws: histories are read in every layout that pandas gave its data frames, and written in one that all versions read. */
import { describe, expect, it } from 'vitest'
import { float64Array, int64Array } from '../../lib/models/pickle-numpy.ts'
import {
  dict,
  float,
  list,
  type PickleObject,
  type PickleValue,
  tuple,
} from '../../lib/models/pickle-values.ts'
import { historyValue, readHistory } from '../../lib/models/scvi-history.ts'

const called = (name: string, args: PickleValue[], state?: PickleValue): PickleObject => ({
  ...{ kind: 'object', via: 'call', name, args },
  state,
})

const frame = (state: PickleValue): PickleObject => ({
  ...called('pandas.core.frame.DataFrame', [], state),
  via: 'new',
})

const columns = called('pandas.core.indexes.base._new_Index', [null, dict([['data', list([])]])])
const index = (entries: [string, PickleValue][]) =>
  called('pandas.core.indexes.base._new_Index', [null, dict(entries)])
const epochs = index([['data', int64Array([1, 3, 4])]])
const values = float64Array(Float64Array.of(5, 6, 7.5), [1, 3])
const expected = { epochs: Float64Array.of(1, 3, 4), values: Float64Array.of(5, 6, 7.5) }

const block = called('pandas._libs.internals._unpickle_block', [values, null, 2])
const managed = (rows: PickleValue) =>
  called('pandas.core.internals.managers.BlockManager', [tuple(block), list([columns, rows])])

/** pandas before 1.3 */
const stated: PickleObject = {
  ...called(
    'pandas.core.internals.managers.BlockManager',
    [],
    tuple(
      list([columns, epochs]),
      list([values]),
      list([columns]),
      dict([
        [
          '0.14.1',
          dict([
            ['axes', list([columns, epochs])],
            ['blocks', list([dict([['values', values]])])],
          ]),
        ],
      ]),
    ),
  ),
  via: 'new',
}

const read = (table: PickleValue) => readHistory(dict([['elbo_train', table]]), 'model.pt')

describe('a history', () => {
  it.each<[string, PickleValue]>([
    ['of pandas since 1.3', frame(dict([['_mgr', managed(epochs)]]))],
    ['of pandas 1.2', frame(dict([['_mgr', stated]]))],
    ['of pandas 1.0', frame(dict([['_data', stated]]))],
    [
      'as it is written here',
      [
        ...(historyValue(new Map([['elbo_train', expected]])) as ReturnType<typeof dict>).entries.values(),
      ][0]!,
    ],
  ])('%s is read', (_, table) => {
    expect(read(table)).toEqual({ history: new Map([['elbo_train', expected]]), unread: [] })
  })

  it('whose index is a range is read', () => {
    const range = index([
      ['name', 'epoch'],
      ['start', 2],
      ['stop', 8],
      ['step', 2],
    ])
    const { history } = read(frame(dict([['_mgr', managed(range)]])))
    expect(history.get('elbo_train')!.epochs).toEqual(Float64Array.of(2, 4, 6))
  })

  it.each<[string, PickleValue]>([
    ['no data frame', list([])],
    ['an empty data frame', frame(null)],
    ['other rows than values', frame(dict([['_mgr', managed(index([['data', int64Array([1])]]))]]))],
    [
      'epochs that are no whole numbers',
      frame(dict([['_mgr', managed(index([['data', float64Array(Float64Array.of(1, 2.5, 3), [3])]]))]])),
    ],
    ['a call of something else', called('posix.system', [float(1)])],
  ])('of %s is named as unread, and nothing else is lost', (_, table) => {
    expect(read(table)).toEqual({ history: new Map(), unread: ['elbo_train'] })
  })

  it('that is not there is empty', () => {
    expect(readHistory(null, 'model.pt')).toEqual({ history: new Map(), unread: [] })
  })
})
