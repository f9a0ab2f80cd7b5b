/** What CSR, CSC and dense matrices share on the way from stored numbers to slabs: offsets, indices and values, checked. */
import { BadInput } from '../../job/errors.ts'
import type { SlabOptions, SlabValues } from '../cells.ts'
import type { ArrayNode, NumberArray, NumberType, Tree } from '../tree.ts'
import { damaged, isNumbers } from './column.ts'

/** A sparse matrix whose lists have been found to fit its shape. */
export interface SparseParts {
  tree: Tree
  path: string
  rows: number
  columns: number
  stored: number
  type: NumberType
}

/** indptr[from..to], checked: from 0, never falling, ending at the number of stored values. */
export async function readOffsets(
  parts: SparseParts,
  range: { from: number; to: number },
): Promise<Float64Array> {
  const path = `${parts.path}/indptr`
  const values = await parts.tree.read(path, { from: range.from, to: range.to + 1 })
  if (!isNumbers(values)) throw damaged(`${parts.tree.place}:${path}`, 'the offsets are not numbers')
  const offsets = Float64Array.from(values as Int32Array, Number)
  let previous = range.from === 0 ? 0 : (offsets[0] ?? 0)
  if (range.from === 0 && offsets[0] !== 0)
    throw damaged(`${parts.tree.place}:${path}`, `it starts at ${offsets[0]}, not at 0`)
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] ?? 0
    if (!(offset >= previous && offset <= parts.stored)) {
      throw damaged(
        `${parts.tree.place}:${path}`,
        `offset ${offset} at ${range.from + i} falls or passes ${parts.stored} stored values`,
      )
    }
    previous = offset
  }
  return offsets
}

export function wholeIndices(place: string, values: unknown): Int32Array {
  if (values instanceof Int32Array) return values
  if (!ArrayBuffer.isView(values)) throw damaged(place, 'the indices are not numbers')
  // what does not fit in 31 bits becomes -1 and is refused with the row it stands in
  return Int32Array.from(values as NumberArray as Int32Array, (value) => {
    const index = Number(value)
    return index >= 0 && index < 2 ** 31 ? index : -1
  })
}

/** 64-bit integers as float64 where each is exact. */
export function slabValues(place: string, values: unknown): SlabValues {
  if (!ArrayBuffer.isView(values)) throw damaged(place, 'the values are not numbers')
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    return Float64Array.from(values as BigInt64Array, (value) => {
      const number = Number(value)
      if (!Number.isSafeInteger(number)) {
        throw new BadInput(
          'VALUE_TOO_LARGE',
          place,
          `${value} is beyond 2^53 and cannot be held exactly`,
          'Store the matrix as float64',
        )
      }
      return number
    })
  }
  return values as SlabValues
}

export function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

export function rowRange(rows: number, { from = 0, to = rows }: SlabOptions): { from: number; to: number } {
  if (!(isCount(from) && isCount(to) && from <= to && to <= rows))
    throw new RangeError(`rows ${from} to ${to} of ${rows}`)
  return { from, to }
}

/** undefined where the elements are no numbers; truth values count as bytes */
export function numberTypeOf(node: ArrayNode): NumberType | undefined {
  if (node.element.kind === 'boolean') return 'uint8'
  return node.element.kind === 'number' ? node.element.type : undefined
}
