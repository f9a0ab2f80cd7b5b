/**
 * numpy's arrays in pickles, both ways: `_reconstruct` with a state of (version, shape, dtype, Fortran order, bytes or list), as
 * protocols 2 to 4 have them, and `_frombuffer` of protocol 5. numpy 2 moved numpy.core to numpy._core; nothing else changed.
 *
 * Trap: a shape may promise what is not there. It is compared with the bytes before anything is made.
 */
import { corrupt, shown } from './model-errors.ts'
import {
  dict,
  global,
  list,
  ofKind,
  type PickleList,
  type PickleObject,
  type PickleValue,
  tuple,
} from './pickle-values.ts'

const inCore = ['multiarray._reconstruct', 'multiarray.scalar', 'numeric._frombuffer']

/** What numpy's own values are made with. `_codecs.encode` makes bytes in protocol 2. */
export const numpyNames: readonly string[] = [
  ...inCore.flatMap((name) => [`numpy.core.${name}`, `numpy._core.${name}`]),
  'numpy.ndarray',
  'numpy.dtype',
  '_codecs.encode',
]

interface Dtype {
  /** numpy's letter: f, i, u, b, U, O */
  kind: string
  itemBytes: number
}

interface StoredArray {
  shape: number[]
  dtype: Dtype
  isFortran: boolean
  data: Uint8Array | PickleList
}

export interface NumberArray {
  shape: number[]
  /** rows first */
  values: Float64Array
}

/** An array of numbers as doubles. @throws BadInput MODEL_CORRUPT */
export function readNumbers(value: PickleValue | undefined, place: string): NumberArray {
  const { shape, dtype, isFortran, data } = readArray(value, place)
  if (!(data instanceof Uint8Array))
    throw corrupt(place, 'an array of objects stands where numbers are needed')
  const values = decodeNumbers(data, dtype, place)
  return { shape, values: isFortran && shape.length === 2 ? transposed(values, shape) : values }
}

/** A list of names: an array of text, or of objects that are all text. @throws BadInput MODEL_CORRUPT */
export function readTexts(value: PickleValue | undefined, place: string): string[] {
  const { shape, dtype, data } = readArray(value, place)
  if (shape.length !== 1) throw corrupt(place, 'a list of names has more than one dimension')
  if (data instanceof Uint8Array) {
    if (dtype.kind !== 'U') throw corrupt(place, 'numbers stand where names are needed')
    return Array.from({ length: shape[0]! }, (_, i) =>
      decodeWide(data.subarray(i * dtype.itemBytes, (i + 1) * dtype.itemBytes), place),
    )
  }
  return data.items.map((item) => {
    if (typeof item !== 'string') throw corrupt(place, 'a name is no text')
    return item
  })
}

export interface CategoryArray {
  values: string[]
  type: 'text' | 'integer' | 'float' | 'boolean'
}

/** Categories of any kind as Python would print them, and their kind. @throws BadInput MODEL_CORRUPT */
export function readCategories(value: PickleValue | undefined, place: string): CategoryArray {
  const { shape, dtype, data } = readArray(value, place)
  if (shape.length !== 1) throw corrupt(place, 'categories have more than one dimension')
  if (data instanceof Uint8Array) {
    if (dtype.kind === 'U') return { values: readTexts(value, place), type: 'text' }
    const type = dtype.kind === 'f' ? 'float' : dtype.kind === 'b' ? 'boolean' : 'integer'
    return { values: Array.from(decodeNumbers(data, dtype, place), (one) => printed(one, type)), type }
  }
  const kinds = data.items.map((item) => categoryOf(item, place))
  const types = new Set(kinds.map(({ type }) => type))
  const [only = 'text'] = types
  return { values: kinds.map(({ text }) => text), type: types.size === 1 ? only : 'text' }
}

/** One category, as Python would print it. @throws BadInput MODEL_CORRUPT */
export function categoryOf(item: PickleValue, place: string): { text: string; type: CategoryArray['type'] } {
  if (typeof item === 'string') return { text: item, type: 'text' }
  if (typeof item === 'boolean') return { text: printed(Number(item), 'boolean'), type: 'boolean' }
  const number = readNumber(item, place)
  if (number === undefined) throw corrupt(place, 'a category is neither text nor number')
  const type = typeof item === 'number' ? 'integer' : 'float'
  return { text: printed(number, type), type }
}

function printed(value: number, type: CategoryArray['type']): string {
  if (type === 'boolean') return value === 0 ? 'False' : 'True'
  return type === 'float' && Number.isInteger(value) ? `${value}.0` : String(value)
}

/** Numbers of any length in one row, from an array of numbers or of objects that are numbers. @throws BadInput MODEL_CORRUPT */
export function readSeries(value: PickleValue | undefined, place: string): Float64Array {
  const { dtype, data } = readArray(value, place)
  if (data instanceof Uint8Array) return decodeNumbers(data, dtype, place)
  return Float64Array.from(data.items, (item) => {
    const number = readNumber(item, place)
    if (number === undefined) throw corrupt(place, 'a number of a series is none')
    return number
  })
}

/** A number, whether Python's or numpy's; undefined when it is neither. */
export function readNumber(value: PickleValue | undefined, place: string): number | undefined {
  if (typeof value === 'number') return value
  const float = ofKind(value, 'float')
  if (float !== undefined) return float.value
  const scalar = ofKind(value, 'object')
  if (scalar === undefined || coreName(scalar) !== 'multiarray.scalar') return undefined
  const [dtype, data] = scalar.args
  const bytes = readBytes(data, place)
  const stored = readDtype(dtype, place)
  if (bytes.length !== stored.itemBytes) throw corrupt(place, 'a number has too many bytes or too few')
  return decodeNumbers(bytes, stored, place)[0]
}

/** doubles, in rows */
export function float64Array(values: Float64Array, shape: readonly number[]): PickleObject {
  const dtype = dtypeValue('f8', ['<', null, null, null, -1, -1, 0])
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return arrayValue({ shape, dtype, data: bytes })
}

export function textArray(texts: readonly string[]): PickleObject {
  const dtype = dtypeValue('O8', ['|', null, null, null, -1, -1, 63])
  return arrayValue({ shape: [texts.length], dtype, data: list([...texts]) })
}

/** whole numbers of 64 bits */
export function int64Array(values: ArrayLike<number>): PickleObject {
  const dtype = dtypeValue('i8', ['<', null, null, null, -1, -1, 0])
  const data = new Uint8Array(BigInt64Array.from(Array.from(values, BigInt)).buffer)
  return arrayValue({ shape: [values.length], dtype, data })
}

export function booleanArray(values: readonly boolean[]): PickleObject {
  const dtype = dtypeValue('b1', ['|', null, null, null, -1, -1, 0])
  return arrayValue({ shape: [values.length], dtype, data: Uint8Array.from(values, Number) })
}

/** As `readCategories` gives them; what is not of its type is written as text. */
export function categoryArray({
  values,
  type,
}: {
  values: readonly string[]
  type: CategoryArray['type']
}): PickleObject {
  const numbers = values.map(Number)
  if (type === 'boolean') return booleanArray(values.map((value) => value === 'True'))
  if (type === 'float') return float64Array(Float64Array.from(numbers), [values.length])
  if (type === 'integer' && numbers.every(Number.isSafeInteger)) return int64Array(numbers)
  return textArray(values)
}

interface ArrayParts {
  shape: readonly number[]
  dtype: PickleObject
  data: PickleValue
}

function arrayValue({ shape, dtype, data }: ArrayParts): PickleObject {
  return {
    kind: 'object',
    via: 'call',
    name: 'numpy.core.multiarray._reconstruct',
    args: [global('numpy.ndarray'), tuple(0), new Uint8Array([98])],
    state: tuple(1, tuple(...shape), dtype, false, data),
  }
}

function dtypeValue(code: string, state: PickleValue[]): PickleObject {
  return {
    kind: 'object',
    via: 'call',
    name: 'numpy.dtype',
    args: [code, false, true],
    state: tuple(3, ...state),
  }
}

/** An estimator or any other object that Python makes empty and then fills. */
export function filledObject(name: string, state: Iterable<[string, PickleValue]>): PickleObject {
  return { kind: 'object', via: 'new', name, args: [], state: dict(state) }
}

function coreName(value: PickleObject): string {
  return value.name.replace(/^numpy\._?core\./, '')
}

function readArray(value: PickleValue | undefined, place: string): StoredArray {
  const array = ofKind(value, 'object')
  const name = array && coreName(array)
  let parts: (PickleValue | undefined)[]
  if (array !== undefined && name === 'multiarray._reconstruct') {
    const [, shape, dtype, isFortran, data] = ofKind(array.state, 'tuple')?.items ?? []
    parts = [shape, dtype, isFortran === true, data]
  } else if (array !== undefined && name === 'numeric._frombuffer') {
    const [data, dtype, shape, order] = array.args
    parts = [shape, dtype, order === 'F', data]
  } else throw corrupt(place, 'an array of numpy is missing')
  const [shape, dtype, isFortran, data] = parts
  return checked({
    place,
    shape: readShape(shape, place),
    dtype: readDtype(dtype, place),
    isFortran: isFortran === true,
    data: ofKind(data, 'list') ?? readBytes(data, place),
  })
}

function checked({ place, ...array }: StoredArray & { place: string }): StoredArray {
  const { shape, dtype, data } = array
  const count = shape.reduce((product, length) => product * length, 1)
  const isObjects = dtype.kind === 'O'
  const stored = data instanceof Uint8Array ? data.length / dtype.itemBytes : data.items.length
  if (isObjects === data instanceof Uint8Array || stored !== count)
    throw corrupt(place, `an array of ${count} values holds ${stored}`)
  return array
}

function readShape(value: PickleValue | undefined, place: string): number[] {
  return (ofKind(value, 'tuple')?.items ?? [null]).map((length) => {
    if (typeof length !== 'number' || length < 0) throw corrupt(place, 'the shape of an array is no shape')
    return length
  })
}

function readDtype(value: PickleValue | undefined, place: string): Dtype {
  const object = ofKind(value, 'object')
  const [code] = object?.name === 'numpy.dtype' ? object.args : []
  const [, order, , , , width] = ofKind(object?.state, 'tuple')?.items ?? []
  const [, kind = '', digits = ''] = /^([fiubOU])(\d{1,9})$/.exec(typeof code === 'string' ? code : '') ?? []
  if (kind === '') throw corrupt(place, `numbers of type "${shown(String(code))}" are not read`)
  if (order === '>') throw corrupt(place, 'an array has the bytes of its numbers in reverse')
  // of text the code counts characters, and the state has the bytes
  const itemBytes = kind === 'U' ? 4 * Number(digits) : Number(digits)
  if (itemBytes === 0 || (kind === 'U' && width !== itemBytes && width !== undefined))
    throw corrupt(place, 'the width of an array of text contradicts itself')
  return { kind, itemBytes }
}

function readBytes(value: PickleValue | undefined, place: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  const encoded = ofKind(value, 'object')
  const [latin, encoding] = encoded?.name === '_codecs.encode' ? encoded.args : []
  if (typeof latin !== 'string' || encoding !== 'latin1')
    throw corrupt(place, 'the bytes of an array are missing')
  const bytes = new Uint8Array(latin.length)
  for (let i = 0; i < latin.length; i++) {
    const unit = latin.charCodeAt(i)
    if (unit > 255) throw corrupt(place, 'the bytes of an array hold more than bytes')
    bytes[i] = unit
  }
  return bytes
}

const numberReaders: Readonly<Record<string, (view: DataView, at: number) => number>> = {
  f8: (view, at) => view.getFloat64(at, true),
  f4: (view, at) => view.getFloat32(at, true),
  i8: (view, at) => Number(view.getBigInt64(at, true)),
  i4: (view, at) => view.getInt32(at, true),
  i2: (view, at) => view.getInt16(at, true),
  i1: (view, at) => view.getInt8(at),
  u8: (view, at) => Number(view.getBigUint64(at, true)),
  u4: (view, at) => view.getUint32(at, true),
  u2: (view, at) => view.getUint16(at, true),
  u1: (view, at) => view.getUint8(at),
  b1: (view, at) => view.getUint8(at),
}

function decodeNumbers(bytes: Uint8Array, { kind, itemBytes }: Dtype, place: string): Float64Array {
  const read = numberReaders[kind + itemBytes]
  if (read === undefined) throw corrupt(place, `numbers of type "${kind}${itemBytes}" are not read`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const values = new Float64Array(bytes.length / itemBytes)
  for (let i = 0; i < values.length; i++) values[i] = read(view, i * itemBytes)
  return values
}

/** UTF-32, padded with zeros. */
function decodeWide(bytes: Uint8Array, place: string): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let text = ''
  for (let at = 0; at < bytes.length; at += 4) {
    const point = view.getUint32(at, true)
    if (point === 0) break
    if (point > 0x10ffff) throw corrupt(place, 'a text holds what is no character')
    text += String.fromCodePoint(point)
  }
  return text
}

/** Columns first becomes rows first. */
function transposed(values: Float64Array, shape: number[]): Float64Array {
  const [rows = 0, columns = 0] = shape
  const turned = new Float64Array(values.length)
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      turned[row * columns + column] = values[column * rows + row]!
  return turned
}
