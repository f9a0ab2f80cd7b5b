/** Runs expressions once: what comes out, by name. */
import { graphOf } from '../../lib/graph/emit.ts'
import type { Expression } from '../../lib/graph/expression.ts'
import { type Graph, writeModel } from '../../lib/graph/onnx-write.ts'
import { openSession } from '../../lib/graph/session.ts'
import type { Tensor } from '../../lib/graph/tensor.ts'

export type Values = Record<string, Tensor>

export function compute(outputs: Readonly<Record<string, Expression>>, values: Values): Promise<Values> {
  return runGraph(graphOf('test', outputs), values)
}

/** What the graph does not ask for is left out. */
export async function runGraph(graph: Graph, values: Values): Promise<Values> {
  const session = await openSession(writeModel(graph), { notices: [], threads: 1 })
  try {
    return await session.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, values[name]!])))
  } finally {
    await session.close()
  }
}

export function float64(data: Iterable<number>, shape?: readonly number[]): Tensor {
  const numbers = Float64Array.from(data)
  return { type: 'float64', shape: shape ?? [numbers.length], data: numbers }
}

export function numbersOf(tensor: Tensor | undefined): number[] {
  return Array.from(tensor!.data as Float32Array | Float64Array)
}
