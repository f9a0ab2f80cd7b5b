/**
 * Writes a graph of operators as an ONNX file (onnx.proto of ONNX 1.13: opset 18, IR version 8), so that no Python is needed to
 * make one. Numbers of fields are those of onnx.proto. Weights lie in the file as raw little-endian bytes; a file holds less
 * than 2 GiB, which is protobuf's limit. Nothing here knows what an operator means: onnxruntime checks that when it loads.
 */
import {
  join,
  type Message,
  message,
  writeBytes,
  writeFloat,
  writeInteger,
  writeMessage,
  writeText,
} from './protobuf.ts'
import { type ElementType, elementTypes, sizeOf, type Tensor } from './tensor.ts'

/** An input or output of a graph. A word in the shape is a length that is only known when it runs. */
export interface ValueInfo {
  name: string
  type: ElementType
  shape: readonly (number | string)[]
}

/** The kind is told, because 1 may mean the whole number or the float, and ONNX refuses the wrong one. */
export type Attribute =
  | { int: number }
  | { float: number }
  | { text: string }
  | { ints: readonly number[] }
  | { floats: readonly number[] }
  | { tensor: Tensor }
  | { graph: Graph }

export interface GraphNode {
  /** name of the operator: 'MatMul' */
  op: string
  /** names of values; '' leaves an optional input out */
  inputs: readonly string[]
  outputs: readonly string[]
  attributes?: Readonly<Record<string, Attribute>>
  /** 'com.microsoft' for operators of onnxruntime's own */
  domain?: string
}

export interface Graph {
  name: string
  inputs: readonly ValueInfo[]
  outputs: readonly ValueInfo[]
  /** weights and other constants, by name */
  constants?: Readonly<Record<string, Tensor>>
  /** in an order in which every value is made before it is used */
  nodes: readonly GraphNode[]
}

const irVersion = 8
const defaultOpset = 18
const fileLimit = 2 ** 31 - 1

/**
 * The bytes of an ONNX model.
 * @param options.domains versions of operator sets beside ONNX's own, such as { 'com.microsoft': 1 }
 * @throws RangeError when a tensor's numbers do not fill its shape, or the file would pass 2 GiB
 */
export function writeModel(
  graph: Graph,
  options: { opset?: number; domains?: Readonly<Record<string, number>> } = {},
): Uint8Array {
  const model = message()
  writeInteger(model, 1, irVersion)
  writeText(model, 2, 'celldrop')
  writeMessage(model, 7, graphMessage(graph))
  const operatorSets = { '': options.opset ?? defaultOpset, ...options.domains }
  for (const [domain, version] of Object.entries(operatorSets)) {
    const set = message()
    writeText(set, 1, domain)
    writeInteger(set, 2, version)
    writeMessage(model, 8, set)
  }
  if (model.bytes > fileLimit)
    throw new RangeError(`graph '${graph.name}' takes ${model.bytes} bytes, an ONNX file holds ${fileLimit}`)
  return join(model)
}

function graphMessage(graph: Graph): Message {
  const written = message()
  for (const node of graph.nodes) writeMessage(written, 1, nodeMessage(node))
  writeText(written, 2, graph.name)
  for (const [name, tensor] of Object.entries(graph.constants ?? {}))
    writeMessage(written, 5, tensorMessage(tensor, name))
  for (const input of graph.inputs) writeMessage(written, 11, valueMessage(input))
  for (const output of graph.outputs) writeMessage(written, 12, valueMessage(output))
  return written
}

function nodeMessage(node: GraphNode): Message {
  const written = message()
  for (const input of node.inputs) writeText(written, 1, input)
  for (const output of node.outputs) writeText(written, 2, output)
  // onnxruntime names the node in its errors; its first output tells best which one it was
  writeText(written, 3, `${node.op}:${node.outputs[0] ?? ''}`)
  writeText(written, 4, node.op)
  for (const [name, attribute] of Object.entries(node.attributes ?? {}))
    writeMessage(written, 5, attributeMessage(name, attribute))
  if (node.domain !== undefined) writeText(written, 7, node.domain)
  return written
}

function attributeMessage(name: string, attribute: Attribute): Message {
  const written = message()
  writeText(written, 1, name)
  const kind = (number: number): void => writeInteger(written, 20, number)
  if ('float' in attribute) {
    writeFloat(written, 2, attribute.float)
    kind(1)
  } else if ('int' in attribute) {
    writeInteger(written, 3, attribute.int)
    kind(2)
  } else if ('text' in attribute) {
    writeText(written, 4, attribute.text)
    kind(3)
  } else if ('tensor' in attribute) {
    writeMessage(written, 5, tensorMessage(attribute.tensor, name))
    kind(4)
  } else if ('graph' in attribute) {
    writeMessage(written, 6, graphMessage(attribute.graph))
    kind(5)
  } else if ('floats' in attribute) {
    for (const value of attribute.floats) writeFloat(written, 7, value)
    kind(6)
  } else {
    for (const value of attribute.ints) writeInteger(written, 8, value)
    kind(7)
  }
  return written
}

function tensorMessage({ type, shape, data }: Tensor, name: string): Message {
  if (data.length !== sizeOf(shape))
    throw new RangeError(`tensor '${name}' has ${data.length} numbers for the shape [${shape.join(', ')}]`)
  if (!(data instanceof elementTypes[type].array))
    throw new RangeError(`tensor '${name}' of ${type} has its numbers in a ${data.constructor.name}`)
  const written = message()
  for (const length of shape) writeInteger(written, 1, length)
  writeInteger(written, 2, elementTypes[type].onnx)
  writeText(written, 8, name)
  writeBytes(written, 9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return written
}

function valueMessage({ name, type, shape }: ValueInfo): Message {
  const dimensions = message()
  for (const length of shape) {
    const dimension = message()
    if (typeof length === 'number') writeInteger(dimension, 1, length)
    else writeText(dimension, 2, length)
    writeMessage(dimensions, 1, dimension)
  }
  const tensorType = message()
  writeInteger(tensorType, 1, elementTypes[type].onnx)
  writeMessage(tensorType, 2, dimensions)
  const valueType = message()
  writeMessage(valueType, 1, tensorType)
  const written = message()
  writeText(written, 1, name)
  writeMessage(written, 2, valueType)
  return written
}
