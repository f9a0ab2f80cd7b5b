import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Graph, type GraphNode, type ValueInfo, writeModel } from '../../lib/graph/onnx-write.ts'
import { openSession } from '../../lib/graph/session.ts'
import { float32, int64, type Tensor } from '../../lib/graph/tensor.ts'
import { partAt, textOf, valuesOf } from './read-protobuf.ts'

const anyVector = (name: string): ValueInfo => ({ name, type: 'float32', shape: ['n'] })

async function run(
  graph: Graph,
  feeds: Record<string, Tensor>,
  options = {},
): Promise<Record<string, Tensor>> {
  const session = await openSession(writeModel(graph, options), { notices: [] })
  try {
    return await session.run(feeds)
  } finally {
    await session.close()
  }
}

/** A graph of one node on vectors of any length, or on what is told. */
function oneNode(node: Omit<GraphNode, 'inputs' | 'outputs'>, graph: Partial<Graph> = {}): Graph {
  const inputs = graph.inputs ?? [anyVector('x')]
  const outputs = graph.outputs ?? [anyVector('y')]
  return {
    name: 'one',
    inputs,
    outputs,
    nodes: [{ ...node, inputs: inputs.map(({ name }) => name), outputs: outputs.map(({ name }) => name) }],
  }
}

describe('an ONNX file as it is written', () => {
  const bytes = writeModel(
    {
      name: 'small',
      inputs: [{ name: 'x', type: 'float32', shape: ['cells', 3] }],
      outputs: [{ name: 'y', type: 'float64', shape: [] }],
      constants: { w: { type: 'int32', shape: [2, 1], data: Int32Array.of(-1, 7) } },
      nodes: [
        {
          op: 'Mystery',
          inputs: ['x', '', 'w'],
          outputs: ['y'],
          domain: 'own',
          attributes: { axis: { int: -2 } },
        },
      ],
    },
    { domains: { own: 3 } },
  )

  it('names IR version 8, opset 18 and the further operator sets', () => {
    expect(valuesOf(bytes, 1)).toEqual([8n])
    const sets = valuesOf(bytes, 8).map((set) => [
      textOf(valuesOf(set as Uint8Array, 1)[0]),
      valuesOf(set as Uint8Array, 2)[0],
    ])
    expect(sets).toEqual([
      ['', 18n],
      ['own', 3n],
    ])
  })

  it('keeps an omitted input as an empty name and a negative number as 64-bit two’s complement', () => {
    const node = partAt(bytes, 7, 1)
    expect(valuesOf(node, 1).map(textOf)).toEqual(['x', '', 'w'])
    expect(textOf(valuesOf(node, 4)[0])).toBe('Mystery')
    expect(textOf(valuesOf(node, 7)[0])).toBe('own')
    const attribute = partAt(node, 5)
    expect(textOf(valuesOf(attribute, 1)[0])).toBe('axis')
    expect(BigInt.asIntN(64, valuesOf(attribute, 3)[0] as bigint)).toBe(-2n)
    expect(valuesOf(attribute, 20)).toEqual([2n])
  })

  it('writes lengths as numbers or names, and a single number as a shape without lengths', () => {
    const shape = partAt(bytes, 7, 11, 2, 1, 2)
    const lengths = valuesOf(shape, 1) as Uint8Array[]
    expect(textOf(valuesOf(lengths[0]!, 2)[0])).toBe('cells')
    expect(valuesOf(lengths[1]!, 1)).toEqual([3n])
    expect(partAt(bytes, 7, 12, 2, 1, 2)).toHaveLength(0)
    expect(valuesOf(partAt(bytes, 7, 12, 2, 1), 1)).toEqual([11n])
  })

  it('writes constants with name, type, lengths and raw little-endian bytes', () => {
    const tensor = partAt(bytes, 7, 5)
    expect(textOf(valuesOf(tensor, 8)[0])).toBe('w')
    expect(valuesOf(tensor, 1)).toEqual([2n, 1n])
    expect(valuesOf(tensor, 2)).toEqual([6n])
    expect([...partAt(tensor, 9)]).toEqual([255, 255, 255, 255, 7, 0, 0, 0])
  })

  it('refuses numbers that do not fill their shape or are not of their type', () => {
    const withConstant = (constant: Tensor): Graph => ({
      ...oneNode({ op: 'Neg' }),
      constants: { c: constant },
    })
    expect(() => writeModel(withConstant(float32(new Float32Array(5), [2, 3])))).toThrow(/5 numbers/)
    const wrong: Tensor = { type: 'float64', shape: [1], data: new Float32Array(1) }
    expect(() => writeModel(withConstant(wrong))).toThrow(/float64/)
  })
})

describe('onnxruntime on graphs that were written here', () => {
  it('gets back every constant bit for bit, whatever its type, numbers and place in its buffer', async () => {
    const constant = fc.oneof(
      fc
        .float32Array({ maxLength: 40 })
        .map((data): Tensor => ({ type: 'float32', shape: [data.length], data })),
      fc
        .float64Array({ maxLength: 40 })
        .map((data): Tensor => ({ type: 'float64', shape: [data.length], data })),
      fc.int32Array({ maxLength: 40 }).map((data): Tensor => ({ type: 'int32', shape: [data.length], data })),
      fc
        .bigInt64Array({ maxLength: 40 })
        .map((data): Tensor => ({ type: 'int64', shape: [data.length], data })),
      fc.uint8Array({ maxLength: 40 }).map((data): Tensor => ({ type: 'uint8', shape: [data.length], data })),
      fc
        .uint8Array({ maxLength: 40, max: 1 })
        .map((data): Tensor => ({ type: 'bool', shape: [data.length], data: data.subarray() })),
    )
    await fc.assert(
      fc.asyncProperty(constant, async (tensor) => {
        const { y } = await run(
          {
            name: 'constant',
            inputs: [],
            outputs: [{ name: 'y', type: tensor.type, shape: ['n'] }],
            constants: { c: tensor },
            nodes: [{ op: 'Identity', inputs: ['c'], outputs: ['y'] }],
          },
          {},
        )
        expect(y).toEqual(tensor)
      }),
      { numRuns: 60 },
    )
  })

  it('takes lengths that are only known when it runs', async () => {
    const graph = oneNode({ op: 'Neg' })
    for (const length of [0, 1, 5]) {
      const { y } = await run(graph, { x: float32(new Float32Array(length).fill(2)) })
      expect(y).toEqual(float32(new Float32Array(length).fill(-2)))
    }
  })

  it('reads attributes of every kind', async () => {
    const x = float32(Float32Array.of(-1, 2))
    const matrix = float32(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])
    const tables = {
      inputs: [{ name: 'x', type: 'float32', shape: ['a', 'b'] }],
      outputs: [{ name: 'y', type: 'float32', shape: ['b', 'a'] }],
    } satisfies Partial<Graph>
    const float = await run(oneNode({ op: 'LeakyRelu', attributes: { alpha: { float: 0.5 } } }), { x })
    expect(float.y!.data).toEqual(Float32Array.of(-0.5, 2))
    const ints = await run(oneNode({ op: 'Transpose', attributes: { perm: { ints: [1, 0] } } }, tables), {
      x: matrix,
    })
    expect(ints.y).toEqual(float32(Float32Array.of(1, 4, 2, 5, 3, 6), [3, 2]))
    const text = await run(oneNode({ op: 'Einsum', attributes: { equation: { text: 'ab->ba' } } }, tables), {
      x: matrix,
    })
    expect(text.y).toEqual(ints.y)
    const tensor = await run(
      oneNode({ op: 'Constant', attributes: { value: { tensor: x } } }, { inputs: [] }),
      {},
    )
    expect(tensor.y).toEqual(x)
    const floats = await run(
      oneNode({ op: 'Constant', attributes: { value_floats: { floats: [0.25, -3] } } }, { inputs: [] }),
      {},
    )
    expect(floats.y!.data).toEqual(Float32Array.of(0.25, -3))
    const int = await run(oneNode({ op: 'Softmax', attributes: { axis: { int: -1 } } }), { x })
    expect(int.y!.data[0]).toBeCloseTo(1 / (1 + Math.exp(3)), 6)
  })

  it('runs a graph within a graph: a loop that doubles its state', async () => {
    const body: Graph = {
      name: 'step',
      inputs: [
        { name: 'number', type: 'int64', shape: [] },
        { name: 'goOn', type: 'bool', shape: [] },
        anyVector('state'),
      ],
      outputs: [{ name: 'still', type: 'bool', shape: [] }, anyVector('doubled')],
      nodes: [
        { op: 'Identity', inputs: ['goOn'], outputs: ['still'] },
        { op: 'Add', inputs: ['state', 'state'], outputs: ['doubled'] },
      ],
    }
    const graph: Graph = {
      name: 'loop',
      inputs: [anyVector('x')],
      outputs: [anyVector('y')],
      constants: { times: int64([10], []) },
      nodes: [
        { op: 'Loop', inputs: ['times', '', 'x'], outputs: ['y'], attributes: { body: { graph: body } } },
      ],
    }
    const { y } = await run(graph, { x: float32(Float32Array.of(1, -0.5)) })
    expect(y!.data).toEqual(Float32Array.of(1024, -512))
  })

  it('finds operators of another domain when its version is told', async () => {
    const graph = oneNode({ op: 'Gelu', domain: 'com.microsoft' })
    const { y } = await run(
      graph,
      { x: float32(Float32Array.of(0, 10)) },
      { domains: { 'com.microsoft': 1 } },
    )
    expect(y!.data[0]).toBe(0)
    expect(y!.data[1]).toBeCloseTo(10, 5)
    await expect(run(graph, {})).rejects.toThrow()
  })
})
