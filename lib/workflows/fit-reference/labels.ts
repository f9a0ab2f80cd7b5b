/**
 * Labels as SCANVI counts them: sorted, what cells without a label are called swapped with the last, or put behind where no cell is called so. Codes of
 * classes are places in that order, and the unlabelled one is none.
 */
import type { CategoryColumn } from '../../models/scvi-model.ts'
import type { CodedCategories } from '../parts/category-column.ts'

export interface Labels {
  column: CategoryColumn
  /** class of each cell, -1 for none */
  codes: Int32Array
}

/** @param given without categories that no cell has */
export function labelsFor(
  given: CodedCategories,
  { column, unlabelled }: { column: string; unlabelled: string },
): Labels {
  const categories = [...given.categories]
  const at = categories.indexOf(unlabelled)
  if (at < 0) categories.push(unlabelled)
  else {
    categories[at] = categories.at(-1)!
    categories[categories.length - 1] = unlabelled
  }
  const codeOf = new Map(categories.map((label, code) => [label, code]))
  const codes = given.codes.map((code) => {
    const label = given.categories[code]
    return label === undefined || label === unlabelled ? -1 : codeOf.get(label)!
  })
  // numbers and words do not go together in one column of pandas
  const type = at < 0 && given.type !== 'text' && !fits(unlabelled, given.type) ? 'text' : given.type
  return { column: { column, categories, type }, codes }
}

function fits(text: string, type: CategoryColumn['type']): boolean {
  if (type === 'boolean') return text === 'True' || text === 'False'
  return text.trim() !== '' && Number.isFinite(Number(text))
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
