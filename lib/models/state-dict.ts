/**
 * Weights as scvi-tools keeps them, one tensor by name, and as they are trained here, where the columns of covariates are a weight of their
 * own (`NAME#covariates`, see network.ts). In the joined tensor they come last, batch first.
 */
import type { WeightSpec } from './network.ts'

export interface Weight {
  shape: readonly number[]
  data: Float32Array
}

export const covariatesSuffix = '#covariates'

/**
 * @param wanted the weights of a network, by name
 * @throws Error naming the weight that is missing or of another shape
 */
export function splitWeights(
  joined: ReadonlyMap<string, Weight>,
  wanted: ReadonlyMap<string, Pick<WeightSpec, 'shape'>>,
): Map<string, Weight> {
  const split = new Map<string, Weight>()
  for (const [name, { shape }] of wanted) {
    const isTail = name.endsWith(covariatesSuffix)
    const whole = joined.get(isTail ? name.slice(0, -covariatesSuffix.length) : name)
    if (whole === undefined) throw new Error(`weight ${name} is missing`)
    const tail = wanted.get(`${name}${covariatesSuffix}`)
    const data = isTail || tail !== undefined ? columnsOf(whole, shape, isTail) : whole.data
    const expected = tail === undefined ? shape : [shape[0], shape[1]! + tail.shape[1]!]
    if (!isTail && String(whole.shape) !== String(expected))
      throw new Error(`weight ${name} is [${whole.shape.join(', ')}] and not [${expected.join(', ')}]`)
    split.set(name, { shape, data })
  }
  return split
}

/** The first or last columns. */
function columnsOf({ shape, data }: Weight, part: readonly number[], isTail: boolean): Float32Array {
  const [rows, columns] = part as [number, number]
  const all = shape[1]!
  if (shape[0] !== rows || all < columns)
    throw new Error(`a weight of [${shape.join(', ')}] has no part of [${part.join(', ')}]`)
  const from = isTail ? all - columns : 0
  const taken = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++)
    taken.set(data.subarray(row * all + from, row * all + from + columns), row * columns)
  return taken
}

export function joinWeights(split: ReadonlyMap<string, Weight>): Map<string, Weight> {
  const joined = new Map<string, Weight>()
  for (const [name, weight] of split) {
    if (name.endsWith(covariatesSuffix)) continue
    const tail = split.get(`${name}${covariatesSuffix}`)
    joined.set(name, tail === undefined ? weight : sideBySide(weight, tail))
  }
  return joined
}

function sideBySide(left: Weight, right: Weight): Weight {
  const [rows, first] = left.shape as [number, number]
  const second = right.shape[1]!
  const data = new Float32Array(rows * (first + second))
  for (let row = 0; row < rows; row++) {
    data.set(left.data.subarray(row * first, (row + 1) * first), row * (first + second))
    data.set(right.data.subarray(row * second, (row + 1) * second), row * (first + second) + first)
  }
  return { shape: [rows, first + second], data }
}
