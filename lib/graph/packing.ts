/**
 * Many small weights as one long one: an optimiser's step over a bias of 128 takes as long as one over 16,000 numbers, because what counts
 * is how many operations there are. Within a loop they lie end to end; what goes into the graph and comes out of it keeps its own name.
 */
import { apply, type Expression, inOrder, input } from './expression.ts'
import type { GraphNode } from './onnx-write.ts'
import { concatenate, reshape, slice } from './operations/places.ts'
import { int64, sizeOf, type Tensor } from './tensor.ts'

/** In their order, end to end. */
export type Parts = readonly { name: string; shape: readonly number[] }[]

export interface Packed {
  /** [numbers of all of them], to be fed under the pack's name */
  weight: Expression
  /** likewise */
  gradient: Expression
  parts: Parts
  /** what stands in the place of each weight */
  slices: ReadonlyMap<Expression, Expression>
}

/** @param weights of one type, and known lengths */
export function pack(
  name: string,
  weights: Readonly<Record<string, { weight: Expression; gradient: Expression }>>,
): Packed {
  const parts = Object.entries(weights).map(([of, { weight }]) => ({
    name: of,
    shape: weight.shape as readonly number[],
  }))
  const all = Object.values(weights)
  const length = parts.reduce((total, { shape }) => total + sizeOf(shape), 0)
  const weight = input(name, { type: all[0]!.weight.type, shape: [length] })
  const slices = new Map<Expression, Expression>()
  let from = 0
  for (const { weight: own } of all) {
    const to = from + sizeOf(own.shape as readonly number[])
    slices.set(own, shaped(slice(weight, { axis: 0, from, to }), own.shape as readonly number[]))
    from = to
  }
  const gradient = concatenate(all.map((one) => flat(one.gradient)))
  return { weight, gradient, parts, slices }
}

function flat(of: Expression): Expression {
  return of.shape.length === 1 ? of : reshape(of, [sizeOf(of.shape as readonly number[])])
}

function shaped(of: Expression, shape: readonly number[]): Expression {
  return shape.length === 1 ? of : reshape(of, shape)
}

/** The same expressions made of other inputs. What is not made of them stays the same object. */
export function replaceInputs<Key extends string>(
  of: Readonly<Record<Key, Expression>>,
  by: ReadonlyMap<Expression, Expression>,
): Record<Key, Expression> {
  const after = new Map(by)
  for (const expression of inOrder(Object.values<Expression>(of))) {
    if (after.has(expression)) continue
    const inputs = expression.inputs.map((one) => after.get(one)!)
    const isSame = inputs.every((one, i) => one === expression.inputs[i])
    after.set(expression, isSame ? expression : apply(expression.operation, inputs, expression.attributes))
  }
  const entries = Object.entries<Expression>(of).map(([name, value]) => [name, after.get(value)!])
  return Object.fromEntries(entries) as Record<Key, Expression>
}

/** Nodes around a loop: `PART.first` of all parts to `NAME.first`, and `NAME.after` to `PART.after`. */
export function packingNodes(
  name: string,
  parts: Parts,
): { before: GraphNode[]; after: GraphNode[]; constants: Record<string, Tensor> } {
  const flatShape = `${name}.flat`
  const constants: Record<string, Tensor> = { [flatShape]: int64([-1]), [`${name}.from 0`]: int64([0]) }
  const before: GraphNode[] = []
  const after: GraphNode[] = []
  let end = 0
  for (const { name: part, shape } of parts) {
    const from = `${name}.from ${end}`
    end += sizeOf(shape)
    const to = `${name}.from ${end}`
    constants[to] = int64([end])
    constants[`${part}.shape`] = int64(shape)
    before.push({ op: 'Reshape', inputs: [`${part}.first`, flatShape], outputs: [`${part}.first.flat`] })
    // not one Split: a shader of WebGPU takes as many tensors as its device says, and 13 were too many
    const flat = `${part}.after.flat`
    after.push(
      { op: 'Slice', inputs: [`${name}.after`, from, to], outputs: [flat] },
      { op: 'Reshape', inputs: [flat, `${part}.shape`], outputs: [`${part}.after`] },
    )
  }
  before.push({
    op: 'Concat',
    inputs: parts.map((part) => `${part.name}.first.flat`),
    outputs: [`${name}.first`],
    attributes: { axis: { int: 0 } },
  })
  return { before, after, constants }
}
