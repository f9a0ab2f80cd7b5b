/**
 * What a graph computes, as a value: an operation applied to other expressions, or an input, or a constant. Nothing runs here; shapes are
 * known beforehand, but for lengths that are words ('batch'), which only a run fixes. Equal words are equal lengths.
 *
 * An operation is one entry: how its shape follows, its gradient (written in operations again, so that an emitted graph needs nothing
 * else) and the ONNX nodes it becomes.
 */
import type { Attribute, GraphNode } from './onnx-write.ts'
import type { ElementType, Tensor, TensorData } from './tensor.ts'
import { elementTypes } from './tensor.ts'

export type Length = number | string
export type Shape = readonly Length[]

export interface Expression {
  readonly operation: Operation
  readonly inputs: readonly Expression[]
  readonly attributes: Readonly<Record<string, Attribute>>
  readonly type: ElementType
  readonly shape: Shape
  /** of an input of the graph */
  readonly name?: string
  /** of a constant */
  readonly value?: Tensor
}

/** The ONNX name of a value. */
export type ValueName = string

export interface Operation {
  readonly name: string
  infer(
    inputs: readonly Expression[],
    attributes: Readonly<Record<string, Attribute>>,
  ): { type: ElementType; shape: Shape }
  /**
   * By input; undefined where nothing flows (indices, conditions). Absent: nothing flows to any.
   * @param upstream gradient of what is trained towards, shaped as `of` is
   */
  gradient?(upstream: Expression, of: Expression): readonly (Expression | undefined)[]
  /** a text that is equal where the values are, whatever they were made of; otherwise they are equal where their inputs are */
  sameAs?(of: Expression): string | undefined
  /** one node of the operation's name when absent */
  emit?(of: Expression, names: EmitNames): GraphNode[]
}

export interface EmitNames {
  inputs: readonly ValueName[]
  output: ValueName
  /** a name for a value between the nodes of one operation */
  between(): ValueName
}

export function apply(
  operation: Operation,
  inputs: readonly Expression[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Expression {
  const { type, shape } = operation.infer(inputs, attributes)
  return { operation, inputs, attributes, type, shape }
}

const given: Operation = {
  name: 'given',
  infer: () => {
    throw new Error('an input has its own shape')
  },
}

/** Something that is fed, or carried from step to step. */
export function input(name: string, { type, shape }: { type: ElementType; shape: Shape }): Expression {
  return { operation: given, inputs: [], attributes: {}, type, shape, name }
}

export function isInput({ operation }: Expression): boolean {
  return operation === given
}

const fixed: Operation = {
  name: 'constant',
  infer: () => {
    throw new Error('a constant has its own shape')
  },
}

export function constant(value: Tensor): Expression {
  return { operation: fixed, inputs: [], attributes: {}, type: value.type, shape: value.shape, value }
}

/** One number, of the type that it is combined with. */
export function scalar(value: number, type: ElementType): Expression {
  const { array } = elementTypes[type]
  const data: TensorData =
    array === BigInt64Array ? BigInt64Array.of(BigInt(value)) : (array as typeof Float64Array).of(value)
  return constant({ type, shape: [], data })
}

/** A row of whole numbers, as ONNX takes axes and shapes. */
export function wholeNumbers(values: readonly number[]): Expression {
  return constant({ type: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) })
}

/** What an integer attribute says; attributes are written by this folder alone. */
export function integerOf({ attributes }: Pick<Expression, 'attributes'>, name: string): number {
  const attribute = attributes[name]
  if (attribute === undefined || !('int' in attribute)) throw new Error(`no whole number '${name}'`)
  return attribute.int
}

/**
 * Expressions that these are made of, each once, every one after its inputs.
 * @param isKnown those beyond which is not looked
 */
export function inOrder(
  of: Iterable<Expression>,
  isKnown: (expression: Expression) => boolean = () => false,
): Expression[] {
  const order: Expression[] = []
  const met = new Set<Expression>()
  // a stack of our own: graphs are deeper than the call stack likes
  const stack: { expression: Expression; next: number }[] = []
  const enter = (expression: Expression) => {
    if (met.has(expression)) return
    met.add(expression)
    stack.push({ expression, next: isKnown(expression) ? Number.POSITIVE_INFINITY : 0 })
  }
  for (const root of of) {
    enter(root)
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const inner = top.expression.inputs[top.next++]
      if (inner !== undefined) enter(inner)
      else {
        order.push(top.expression)
        stack.pop()
      }
    }
  }
  return order
}
