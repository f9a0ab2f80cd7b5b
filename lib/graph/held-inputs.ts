/**
 * Inputs that are the same in every run. On the CPU they are fed each time and read where they lie; another provider would copy them to
 * its own memory each time, so there they become constants of the model, which it copies once.
 */
import { type Graph, writeModel } from './onnx-write.ts'
import type { Provider } from './session.ts'
import type { Tensor } from './tensor.ts'

/** What a file may hold of them, beside the rest of the graph. More is fed. */
const mostHeld = 2 ** 31 - 2 ** 26

/** The model by provider, for `openSession`. */
export function heldModel(
  graph: Graph,
  held: Readonly<Record<string, Tensor>>,
): (provider: Provider) => Uint8Array {
  return (provider) => writeModel(provider === 'cpu' ? graph : withConstants(graph, held))
}

/** All of them or, where they are too long, none. */
export function withConstants(
  graph: Graph,
  held: Readonly<Record<string, Tensor>>,
  most: number = mostHeld,
): Graph {
  const bytes = Object.values(held).reduce((sum, { data }) => sum + data.byteLength, 0)
  if (bytes > most) return graph
  return {
    ...graph,
    inputs: graph.inputs.filter(({ name }) => !(name in held)),
    constants: { ...graph.constants, ...held },
  }
}
