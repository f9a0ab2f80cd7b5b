/**
 * The history of a training as scvi-tools keeps it: for each figure a pandas data frame with one column. Read in the layouts of pandas 1.0 to 2.x;
 * written as the call of pandas' own constructor, which all versions have.
 */
import { BadInput } from '../job/errors.ts'
import { corrupt } from './model-errors.ts'
import { float64Array, readSeries } from './pickle-numpy.ts'
import { dict, entriesOf, list, ofKind, type PickleObject, type PickleValue } from './pickle-values.ts'

import type { HistorySeries } from './scvi-model.ts'

const frame = 'pandas.core.frame.DataFrame'
const index = 'pandas.core.indexes.base.Index'

/** @returns figures by name, and the names of those that could not be read */
export function readHistory(
  value: PickleValue | undefined,
  place: string,
): { history: Map<string, HistorySeries>; unread: string[] } {
  const history = new Map<string, HistorySeries>()
  const unread: string[] = []
  for (const [name, table] of entriesOf(value) ?? []) {
    try {
      history.set(name, readSeriesOf(table, place))
    } catch (error) {
      // a figure of the past: the model is whole without it
      if (!(error instanceof BadInput)) throw error
      unread.push(name)
    }
  }
  return { history, unread }
}

function readSeriesOf(table: PickleValue, place: string): HistorySeries {
  const parts = partsOf(ofKind(table, 'object'))
  const values = readSeries(parts?.values, place)
  const epochs = readEpochs(parts?.rows, { count: values.length, place })
  if (epochs.length !== values.length || !epochs.every(Number.isSafeInteger))
    throw corrupt(place, 'a history has other rows than values')
  return { epochs, values }
}

/** The array of a data frame that holds one block, and its index. */
function partsOf(
  table: PickleObject | undefined,
): { values: PickleValue | undefined; rows: PickleValue | undefined } | undefined {
  if (table === undefined || !table.name.endsWith('.DataFrame')) return undefined
  if (table.via === 'call' && table.args.length > 0) return { values: table.args[0], rows: table.args[1] }
  const state = entriesOf(table.state)
  const manager = ofKind(state?.get('_mgr') ?? state?.get('_data') ?? table.state, 'object')
  const [blocks, axes] = manager?.args ?? []
  const block = ofKind(ofKind(blocks, 'tuple')?.items[0], 'object')
  if (block !== undefined) return { values: block.args[0], rows: ofKind(axes, 'list')?.items[1] }
  // pandas before 1.3 gave its manager a state
  const last = entriesOf(ofKind(manager?.state, 'tuple')?.items.at(-1))
  const told = entriesOf(last?.get('0.14.1'))
  const stored = ofKind(told?.get('blocks'), 'list')?.items[0]
  return { values: entriesOf(stored)?.get('values'), rows: ofKind(told?.get('axes'), 'list')?.items[1] }
}

/** An index of pandas: a range, an array, or the list that we write. */
function readEpochs(
  value: PickleValue | undefined,
  { count, place }: { count: number; place: string },
): Float64Array {
  const made = ofKind(value, 'object')
  const given = ofKind(made?.args[0], 'list')
  if (given !== undefined) return Float64Array.from(given.items, Number)
  const told = entriesOf(made?.args[1])
  const [start, step] = [told?.get('start'), told?.get('step')]
  if (typeof start === 'number' && typeof step === 'number')
    return Float64Array.from({ length: count }, (_, row) => start + row * step)
  return readSeries(told?.get('data'), place)
}

export function historyValue(history: ReadonlyMap<string, HistorySeries>): PickleValue {
  return dict(
    [...history].map(([name, { epochs, values }]): [string, PickleValue] => {
      const rows = called(index, [list([...epochs]), null, false, 'epoch'])
      const column = called(index, [list([name])])
      return [name, called(frame, [float64Array(values, [values.length, 1]), rows, column])]
    }),
  )
}

function called(name: string, args: PickleValue[]): PickleObject {
  return { kind: 'object', via: 'call', name, args, state: undefined }
}
