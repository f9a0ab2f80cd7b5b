/** Tensors as graphs take and give them: a type, a shape and the numbers, row by row. */

/** Element types with their array and their number in ONNX (onnx.proto, TensorProto.DataType). */
export const elementTypes = {
  float32: { onnx: 1, array: Float32Array },
  uint8: { onnx: 2, array: Uint8Array },
  int32: { onnx: 6, array: Int32Array },
  int64: { onnx: 7, array: BigInt64Array },
  bool: { onnx: 9, array: Uint8Array },
  float64: { onnx: 11, array: Float64Array },
} as const

export type ElementType = keyof typeof elementTypes

export type TensorData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array

export interface Tensor {
  type: ElementType
  /** [] is a single number */
  shape: readonly number[]
  data: TensorData
}

export function float32(data: Float32Array, shape: readonly number[] = [data.length]): Tensor {
  return { type: 'float32', shape, data }
}

/** Whole numbers as ONNX wants them for shapes, axes and indices. */
export function int64(values: Iterable<number>, shape?: readonly number[]): Tensor {
  const data = BigInt64Array.from(Array.from(values, BigInt))
  return { type: 'int64', shape: shape ?? [data.length], data }
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, length) => size * length, 1)
}
