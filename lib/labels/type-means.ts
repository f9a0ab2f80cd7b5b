/**
 * What cells of each type express on average, for a few genes: the mean and the share of cells above 0, zeros counted.
 */
import { cellsOfLabels, type LabelledExpression, slotsOf } from './expression.ts'

/** Types x genes, by rows. */
export interface TypeMeans {
  means: Float64Array
  /** of cells whose value is above 0, in [0, 1] */
  shares: Float64Array
}

/**
 * @param options.types numbers of labels, each with cells
 * @param options.genes columns, each once
 * @returns NaN where a value is NaN, or a type has no cell
 */
export function typeMeans(
  cells: LabelledExpression,
  { types, genes }: { types: ArrayLike<number>; genes: ArrayLike<number> },
): TypeMeans {
  const { indptr, indices, values, columns } = cells.expression
  const slots = slotsOf(genes, columns)
  const members = cellsOfLabels(cells)
  const means = new Float64Array(types.length * genes.length)
  const shares = new Float64Array(types.length * genes.length)
  for (let type = 0; type < types.length; type++) {
    const own = members[types[type]!]!
    const row = type * genes.length
    for (const cell of own) {
      for (let i = indptr[cell]!; i < indptr[cell + 1]!; i++) {
        const slot = slots[indices[i]!]!
        if (slot < 0) continue
        means[row + slot]! += values[i]!
        shares[row + slot]! += Number(values[i]! > 0)
      }
    }
    for (let at = row; at < row + genes.length; at++) {
      means[at]! /= own.length
      shares[at]! /= own.length
    }
  }
  return { means, shares }
}
