/**
 * A column of obs as categories and codes, as scvi-tools takes up batches, covariates and labels: sorted, numbers by size, missing values
 * without a code. What the categories are in Python is kept, because an exported model is compared with such a column again.
 */
import type { Column, Table } from '../../data/cells.ts'
import { BadInput } from '../../job/errors.ts'
import type { CategoryType } from '../../models/scvi-model.ts'
import { shownNames } from '../../prep/shown-names.ts'
import { columnNames } from './cluster-column.ts'
import { type Coded, codedTexts } from './coded.ts'

export interface CodedCategories extends Coded {
  type: CategoryType
}

/** @throws BadInput COLUMN_MISSING naming the columns that there are */
export function categoriesOf(
  obs: Table,
  { column, setting, place }: { column: string; setting: string; place: string },
): CodedCategories {
  const content = obs.columns.get(column)
  if (content === undefined)
    throw columnMissing(column, { setting, place, available: [...obs.columns.keys()] })
  const type = typeOf(content)
  const coded = codedTexts(textsOf(content))
  return type === 'text' || type === 'boolean' ? { ...coded, type } : { ...bySize(coded), type }
}

/** Categories that some of these cells have, and the codes again. */
export function usedCategories(
  given: CodedCategories,
  takesPart: (cell: number) => boolean,
): CodedCategories {
  const used = new Uint8Array(given.categories.length)
  for (const [cell, code] of given.codes.entries()) if (code >= 0 && takesPart(cell)) used[code] = 1
  const place = new Int32Array(given.categories.length).fill(-1)
  const categories = given.categories.filter((_, code) => used[code] === 1)
  for (let code = 0, at = 0; code < place.length; code++) if (used[code] === 1) place[code] = at++
  return { ...given, categories, codes: given.codes.map((code) => (code < 0 ? -1 : place[code]!)) }
}

export function columnMissing(
  column: string,
  { setting, place, available }: { setting: string; place: string; available: readonly string[] },
): BadInput {
  const problem = `there is no obs column "${column}", which ${setting} names; there are: ${shownNames(available)}`
  return new BadInput('COLUMN_MISSING', `${place}:/obs`, problem, `Name one of them as ${setting}`)
}

/** As Python prints them. */
function textsOf(column: Column): string[] {
  if (column.kind === 'boolean')
    return Array.from(column.values, (value, row) =>
      column.mask?.[row] === 1 ? '' : value === 1 ? 'True' : 'False',
    )
  if (column.kind === 'categorical' && column.categories.kind === 'boolean') {
    const names = Array.from(column.categories.values, (value) => (value === 1 ? 'True' : 'False'))
    return Array.from(column.codes, (code) => names[code] ?? '')
  }
  return columnNames(column)
}

function typeOf(column: Column): CategoryType {
  const content = column.kind === 'categorical' ? column.categories : column
  if (content.kind === 'boolean') return 'boolean'
  if (content.kind !== 'number') return 'text'
  return content.type.startsWith('float') ? 'float' : 'integer'
}

function bySize({ codes, categories }: Coded): Coded {
  const order = categories
    .map((_, code) => code)
    .sort((a, b) => Number(categories[a]) - Number(categories[b]))
  const place = new Int32Array(categories.length)
  for (const [at, code] of order.entries()) place[code] = at
  return {
    codes: codes.map((code) => (code < 0 ? -1 : place[code]!)),
    categories: order.map((code) => categories[code]!),
  }
}
