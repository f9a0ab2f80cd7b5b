/**
 * From expressions to the nodes of an ONNX graph: every value once, after what it is made of. Expressions that say the same are one (they
 * are told by operation, attributes and the names of their inputs), and what no output needs is not there.
 */
import { type Expression, inOrder, isInput, type Operation } from './expression.ts'
import type { Graph, GraphNode, ValueInfo } from './onnx-write.ts'
import type { Tensor } from './tensor.ts'

/** By name of the output. */
export type Outputs = Readonly<Record<string, Expression>>

export interface Emitted {
  /** those that are used */
  inputs: ValueInfo[]
  constants: Record<string, Tensor>
  nodes: GraphNode[]
  /** of every expression met */
  names: Map<Expression, string>
}

export function graphOf(name: string, outputs: Outputs): Graph {
  const { inputs, constants, nodes } = emit(outputs)
  return { name, inputs, outputs: infoOf(outputs), constants, nodes }
}

export function infoOf(values: Outputs): ValueInfo[] {
  return Object.entries(values).map(([name, { type, shape }]) => ({ name, type, shape }))
}

/**
 * @param scope.prefix of the names of values, so that an inner graph's are none of the outer one's
 * @param scope.known values of the graph around, by their names there
 * @throws Error where two inputs share a name but not a shape
 */
export function emit(
  outputs: Outputs,
  { prefix = '', known = new Map() }: { prefix?: string; known?: ReadonlyMap<Expression, string> } = {},
): Emitted {
  const inputs = new Map<string, Expression>()
  const constants: Record<string, Tensor> = {}
  const nodes: GraphNode[] = []
  const names = new Map(known)
  const outputNames = namesFor(outputs, known)
  const byMeaning = new Map<string, string>()
  const operations = new Map<Operation, number>()
  let made = 0
  const between = () => `${prefix}v${made++}`

  for (const expression of inOrder(Object.values(outputs), (one) => known.has(one))) {
    if (names.has(expression)) continue
    if (isInput(expression)) {
      names.set(expression, inputNamed(expression, inputs))
      continue
    }
    const inner = expression.inputs.map((one) => names.get(one)!)
    const meaning = meaningOf(expression, { inner, operations })
    const same = byMeaning.get(meaning)
    if (same !== undefined) {
      names.set(expression, same)
      continue
    }
    const output = outputNames.get(expression) ?? between()
    byMeaning.set(meaning, output)
    names.set(expression, output)
    if (expression.value !== undefined) constants[output] = expression.value
    else nodes.push(...nodesOf(expression, { inputs: inner, output, between }))
  }
  for (const [name, expression] of Object.entries(outputs)) {
    const made = names.get(expression)!
    if (made !== name) nodes.push({ op: 'Identity', inputs: [made], outputs: [name] })
  }
  const used = Object.fromEntries(inputs)
  return { inputs: infoOf(used), constants, nodes, names }
}

/** A value that is an output has its name from the start: a copy of all weights in every step is dear. */
function namesFor(outputs: Outputs, known: ReadonlyMap<Expression, string>): Map<Expression, string> {
  const names = new Map<Expression, string>()
  for (const [name, expression] of Object.entries(outputs))
    if (
      !isInput(expression) &&
      expression.value === undefined &&
      !known.has(expression) &&
      !names.has(expression)
    )
      names.set(expression, name)
  return names
}

function inputNamed(expression: Expression, inputs: Map<string, Expression>): string {
  const name = expression.name!
  const met = inputs.get(name)
  if (met !== undefined && (met.type !== expression.type || String(met.shape) !== String(expression.shape)))
    throw new Error(`input '${name}' is given two types or shapes`)
  inputs.set(name, met ?? expression)
  return name
}

function nodesOf(
  expression: Expression,
  names: { inputs: readonly string[]; output: string; between(): string },
): GraphNode[] {
  const { operation, attributes } = expression
  if (operation.emit !== undefined) return operation.emit(expression, names)
  return [{ op: operation.name, inputs: names.inputs, outputs: [names.output], attributes }]
}

/** Equal texts are equal values. Operations are told apart as objects: two whose gradients are told may share a name. */
function meaningOf(
  of: Expression,
  { inner, operations }: { inner: readonly string[]; operations: Map<Operation, number> },
): string {
  const { operation, attributes, value } = of
  const number = operations.get(operation) ?? operations.size
  operations.set(operation, number)
  const same = operation.sameAs?.(of)
  if (same !== undefined) return JSON.stringify([number, same])
  const content = value && [value.type, value.shape, Array.from<number | bigint, string>(value.data, textOf)]
  return JSON.stringify([number, inner, attributes, content])
}

/** Zeros of either sign are two. */
function textOf(value: number | bigint): string {
  return Object.is(value, -0) ? '-0' : String(value)
}
