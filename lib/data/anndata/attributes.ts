/** Attributes of AnnData elements, read with the names that anndata gave them in each of its formats. */
import type { Attributes, AttributeValue, TreeNode } from '../tree.ts'

/** 'csr_matrix', 'dataframe', ...; '' for what was written before anndata 0.7 */
export function encodingOf(node: TreeNode): string {
  const type = textOf(node.attributes['encoding-type'])
  if (type !== undefined) return type
  const sparse = textOf(node.attributes.h5sparse_format)
  return sparse === undefined ? '' : `${sparse}_matrix`
}

export function textOf(value: AttributeValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** An attribute that lists names; a lone string counts as one name, an empty float array as none. */
export function namesOf(value: AttributeValue | undefined): string[] | undefined {
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value)) return undefined
  return value.every((item) => typeof item === 'string') ? (value as string[]) : undefined
}

export function numbersOf(value: AttributeValue | undefined): number[] | undefined {
  if (!Array.isArray(value)) return undefined
  const numbers = value.map((item) => (typeof item === 'bigint' ? Number(item) : item))
  return numbers.every((item) => typeof item === 'number') ? (numbers as number[]) : undefined
}

export function isTrue(value: AttributeValue | undefined): boolean {
  return value === true || value === 1 || value === 1n
}

/** The path that an object reference in an attribute points at. */
export function referenceOf(attributes: Attributes, name: string): string | undefined {
  const value = attributes[name]
  return value !== null && typeof value === 'object' && 'reference' in value ? value.reference : undefined
}
