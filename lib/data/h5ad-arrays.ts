/**
 * Arrays, text and scalars as anndata 0.8 and later stores them: each dataset names its encoding and version.
 * What is smaller than a few KiB is not compressed, as the index of chunks alone would be larger.
 */
import { BadInput } from '../job/errors.ts'
import type { AttributesToWrite } from './hdf5/write/attributes.ts'
import { isOfType, NUMBERS, type StoredNumber } from './hdf5/write/datatype.ts'
import type { Hdf5Writer } from './hdf5/write/writer.ts'
import type { NumberArray, NumberType } from './tree.ts'

const SMALLEST_COMPRESSED = 4096

export interface H5adOptions {
  /** deflate level 1 to 9; not compressed without, or with 0 */
  gzip?: number | undefined
}

export interface PlainArray {
  type: NumberType | 'boolean'
  shape: readonly number[]
  values: NumberArray
}

export const encoding = (type: string, version: string): AttributesToWrite => ({
  'encoding-type': type,
  'encoding-version': version,
})

export async function writeArray(
  writer: Hdf5Writer,
  path: string,
  array: PlainArray & H5adOptions,
): Promise<void> {
  const { shape, values } = array
  const type = storedType(array.type)
  if (shape.reduce((a, b) => a * b, 1) !== values.length)
    throw wrongShape(path, `${values.length} values`, shape)
  await writer.dataset(path, {
    type,
    shape,
    values: convert(values, type),
    gzip: values.byteLength < SMALLEST_COMPRESSED ? undefined : array.gzip,
    shuffle: true,
    attributes: shape.length === 0 ? encoding('numeric-scalar', '0.2.0') : encoding('array', '0.2.0'),
  })
}

export async function writeTexts(
  writer: Hdf5Writer,
  path: string,
  texts: { values: readonly string[]; shape?: readonly number[] } & H5adOptions,
): Promise<void> {
  const { values, shape = [values.length] } = texts
  if (shape.reduce((a, b) => a * b, 1) !== values.length)
    throw wrongShape(path, `${values.length} texts`, shape)
  await writer.strings(path, values, {
    shape,
    gzip: values.length * 16 < SMALLEST_COMPRESSED ? undefined : texts.gzip,
    attributes: shape.length === 0 ? encoding('string', '0.2.0') : encoding('string-array', '0.2.0'),
  })
}

export function wrongShape(path: string, found: string, wanted: readonly number[]): BadInput {
  return new BadInput(
    'ADDITION_SHAPE',
    path,
    `${found} where [${wanted.join(', ')}] is asked for`,
    'Give one value for each cell or gene of the file',
  )
}

/** There is no 16-bit float in JavaScript; such values came as 32-bit ones. */
export function storedType(type: NumberType): StoredNumber
export function storedType(type: NumberType | 'boolean'): StoredNumber | 'boolean'
export function storedType(type: NumberType | 'boolean'): StoredNumber | 'boolean' {
  return type === 'float16' ? 'float32' : type
}

/** The same numbers in the array of the stored type; itself where it is that already. */
export function convert(values: NumberArray, type: StoredNumber | 'boolean'): NumberArray {
  if (isOfType(values, type)) return values
  const target = type === 'boolean' ? new Uint8Array(values.length) : NUMBERS[type].make(values.length)
  if (target instanceof BigInt64Array || target instanceof BigUint64Array) fillWide(target, values)
  else for (let i = 0; i < values.length; i++) target[i] = Number(values[i])
  return target
}

/** 64-bit integers from doubles by halves, which is many times faster than through BigInt. */
function fillWide(target: BigInt64Array | BigUint64Array, values: NumberArray): void {
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
    for (let i = 0; i < values.length; i++) target[i] = values[i]!
    return
  }
  const halves = new Uint32Array(target.buffer, target.byteOffset, target.length * 2)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    halves[2 * i] = value
    halves[2 * i + 1] = Math.floor(value / 2 ** 32)
  }
}
