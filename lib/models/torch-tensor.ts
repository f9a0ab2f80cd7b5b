/** Tensors of PyTorch's files, from the bytes of their storages. What is a view there, by offset and strides, is contiguous here. */

export type StorageType = 'float32' | 'float64' | 'int64' | 'int32' | 'uint8'

export type TorchTensor =
  | { type: 'float32'; shape: readonly number[]; data: Float32Array }
  | { type: 'float64'; shape: readonly number[]; data: Float64Array }
  | { type: 'int64'; shape: readonly number[]; data: BigInt64Array }
  | { type: 'int32'; shape: readonly number[]; data: Int32Array }
  | { type: 'uint8'; shape: readonly number[]; data: Uint8Array }

export interface TensorView {
  type: StorageType
  shape: readonly number[]
  /** in numbers, by axis */
  strides: readonly number[]
  /** in numbers */
  offset: number
}

/** @param storage all of it, little-endian; the view lies within, which the caller has checked */
export function readTensorView(storage: Uint8Array, view: TensorView): TorchTensor {
  const { type, shape } = view
  // a copy, since bytes of a file need not start where numbers may
  const bytes = new Uint8Array(storage).buffer
  if (type === 'float32') return { type, shape, data: ordered(new Float32Array(bytes), view) }
  if (type === 'float64') return { type, shape, data: ordered(new Float64Array(bytes), view) }
  if (type === 'int64') return { type, shape, data: ordered(new BigInt64Array(bytes), view) }
  if (type === 'int32') return { type, shape, data: ordered(new Int32Array(bytes), view) }
  return { type, shape, data: ordered(new Uint8Array(bytes), view) }
}

type Numbers = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array

function ordered<Data extends Numbers>(all: Data, { shape, strides, offset }: TensorView): Data {
  const length = shape.reduce((product, size) => product * size, 1)
  const whole = all.subarray(offset, offset + length) as Data
  if (isContiguous(shape, strides)) return whole.length === all.length ? whole : (whole.slice() as Data)
  const taken = all.slice(0, length) as Data
  const at = shape.map(() => 0)
  let from = offset
  for (let i = 0; i < length; i++) {
    taken[i] = all[from]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis]!++
      from += strides[axis]!
      if (at[axis]! < shape[axis]!) break
      from -= at[axis]! * strides[axis]!
      at[axis] = 0
    }
  }
  return taken
}

/** Of an axis of length 1 the stride says nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false
    expected *= shape[axis]!
  }
  return true
}
