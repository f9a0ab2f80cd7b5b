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
