/**
 * Inputs that are the same in every run of a session. On the CPU they are read where they lie; another provider would copy them to its own memory
 * each time, so there they become constants of the model, which it copies once.
 */
import { type Graph, writeModel } from './onnx-write.ts'
import type { Provider } from './session.ts'
import type { Tensor } from './tensor.ts'

export interface HeldModel {
  graph: Graph
  /** inputs of the graph, by name; others may be among them */
  held: Readonly<Record<string, Tensor>>
}

/** What a file may hold of them, beside the rest of the graph. More is fed. */
const mostHeld = 2 ** 31 - 2 ** 26

export function modelBytes({ graph, held }: HeldModel, provider: Provider): Uint8Array {
  return writeModel(provider === 'cpu' ? graph : withConstants({ graph, held }))
}

/** With all that is held for constants, or as it was where that is too long. */
export function withConstants({ graph, held }: HeldModel, most: number = mostHeld): Graph {
  const own = graph.inputs.filter(({ name }) => held[name] !== undefined)
  const constants = Object.fromEntries(own.map(({ name }) => [name, held[name]!]))
  const bytes = Object.values(constants).reduce((sum, { data }) => sum + data.byteLength, 0)
  if (bytes > most) return graph
  const inputs = graph.inputs.filter(({ name }) => held[name] === undefined)
  return { ...graph, inputs, constants: { ...graph.constants, ...constants } }
}
