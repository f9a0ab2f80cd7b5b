/**
 * Attributes as h5py writes them from Python values: text and numbers as scalars, lists as one axis, None as no data.
 */
import type { NumberArray } from '../../tree.ts'
import { bytesOf, datatypeMessage, isOfType, NUMBERS, type StoredNumber } from './datatype.ts'
import { attributeMessage, dataspaceMessage, Fields } from './messages.ts'
import { REFERENCE_BYTES, type StringHeap } from './string-heap.ts'

export type AttributeToWrite =
  | string
  | boolean
  | readonly string[]
  | { type: StoredNumber; value: number | bigint }
  | { type: StoredNumber | 'boolean'; values: NumberArray }
  /** declared without data */
  | null

export type AttributesToWrite = Readonly<Record<string, AttributeToWrite>>

/** @throws BadInput HDF5_ATTRIBUTE_SIZE, TEXT_UNSUPPORTED */
export function encodeAttribute(name: string, value: AttributeToWrite, heap: StringHeap): Uint8Array {
  if (value === null) {
    return attributeMessage(name, {
      datatype: datatypeMessage('float32'),
      dataspace: dataspaceMessage(null),
      data: new Uint8Array(0),
    })
  }
  if (typeof value === 'string' || isTexts(value)) {
    const texts = typeof value === 'string' ? [value] : value
    const datatype = datatypeMessage('string')
    const dataspace = dataspaceMessage(typeof value === 'string' ? [] : [texts.length])
    // the size is checked before texts go to the heap
    const data = new Fields(texts.length * REFERENCE_BYTES)
    attributeMessage(name, { datatype, dataspace, data: data.bytes })
    for (const text of texts) heap.add(text, data)
    return attributeMessage(name, { datatype, dataspace, data: data.bytes })
  }
  if (typeof value === 'boolean')
    return numbers(name, { type: 'boolean', values: Uint8Array.of(Number(value)), shape: [] })
  if ('value' in value) return numbers(name, { type: value.type, values: oneNumber(value), shape: [] })
  return numbers(name, { ...value, shape: [value.values.length] })
}

function isTexts(value: AttributeToWrite): value is readonly string[] {
  return Array.isArray(value)
}

function oneNumber({ type, value }: { type: StoredNumber; value: number | bigint }): NumberArray {
  const values = NUMBERS[type].make(1)
  if (values instanceof BigInt64Array || values instanceof BigUint64Array) values[0] = BigInt(value)
  else values[0] = Number(value)
  return values
}

function numbers(
  name: string,
  what: { type: StoredNumber | 'boolean'; values: NumberArray; shape: number[] },
): Uint8Array {
  if (!isOfType(what.values, what.type))
    throw new TypeError(`attribute ${name}: the values are not ${what.type}`)
  return attributeMessage(name, {
    datatype: datatypeMessage(what.type),
    dataspace: dataspaceMessage(what.shape),
    data: bytesOf(what.values),
  })
}
