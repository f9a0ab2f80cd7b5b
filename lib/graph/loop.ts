/**
 * Many steps in one run: an ONNX `Loop` whose body is one step. What is carried (weights, moments, statistics, counters) goes from step to
 * step inside the runtime; what does not change with the step is computed once, outside; numbers told of each step come back as rows.
 */
import { emit, infoOf } from './emit.ts'
import { type Expression, inOrder, input } from './expression.ts'
import type { Graph, GraphNode, ValueInfo } from './onnx-write.ts'
import { type Parts, packingNodes } from './packing.ts'

export interface Carried {
  /** what the step starts from */
  before: Expression
  /** what the next one starts from; of the same type and shape */
  after: Expression
}

export interface LoopStep {
  /** number of the step within the run, from 0: whole, shape [1] */
  number: Expression
  /** by name: under it the first is fed and the last comes back */
  carried: Readonly<Record<string, Carried>>
  /** by name: comes back with the steps as its first axis */
  told: Readonly<Record<string, Expression>>
  /** of carried values that are fed and come back in parts, by their names instead of its own */
  packs?: Readonly<Record<string, Parts>>
}

/** The number of the step, for `LoopStep`: the same expression must be used inside it. */
export function stepNumber(): Expression {
  return input('step', { type: 'int64', shape: [] })
}

/**
 * Inputs: `steps` (whole, one number), the carried values, and whatever else the step uses. Outputs: the carried values as `NAME.after`,
 * and what is told.
 */
export function loopGraph(name: string, { number, carried, told, packs = {} }: LoopStep): Graph {
  const before = Object.values(carried).map((one) => one.before)
  const outputs = {
    ...Object.fromEntries(Object.entries(carried).map(([of, { after }]) => [`${of}.next`, after])),
    ...Object.fromEntries(Object.entries(told).map(([of, value]) => [`${of}.told`, value])),
  }
  checkCarried(carried)
  const { changing, around } = splitByStep(Object.values(outputs), [number, ...before])
  const outer = emit(Object.fromEntries(around.map((value, i) => [`around.${i}`, value])), { prefix: 'o.' })
  const known = new Map(around.map((value, i) => [value, `around.${i}`]))
  for (const [expression, at] of outer.names)
    if (!changing.has(expression) && expression.value === undefined && !known.has(expression))
      known.set(expression, at)
  const body = emit(outputs, { prefix: 'b.', known })
  const names = Object.keys(carried)
  const fed = names.map((of) => `${of}.first`)
  const loop: GraphNode = {
    op: 'Loop',
    inputs: ['steps', '', ...fed],
    outputs: [...names.map((of) => `${of}.after`), ...Object.keys(told)],
    attributes: { body: { graph: bodyGraph(name, { body, number, carried, told }) } },
  }
  const packing = Object.entries(packs).map(([of, parts]) => packingNodes(of, parts))
  const outside = names.flatMap((of): ValueInfo[] => {
    const info = carriedInfo(carried[of]!)
    return packs[of]?.map((part) => ({ ...part, type: info.type })) ?? [{ ...info, name: of }]
  })
  const insideOnly = new Set([number.name!, ...before.map((one) => one.name!)])
  const free = [...outer.inputs, ...body.inputs].filter(({ name: of }) => !insideOnly.has(of))
  return {
    name,
    inputs: [
      { name: 'steps', type: 'int64', shape: [] },
      ...outside.map((info) => ({ ...info, name: `${info.name}.first` })),
      ...new Map(free.map((info) => [info.name, info])).values(),
    ],
    outputs: [
      ...outside.map((info) => ({ ...info, name: `${info.name}.after` })),
      ...infoOf(told).map((info) => ({ ...info, shape: ['steps', ...info.shape] })),
    ],
    constants: Object.assign({}, outer.constants, ...packing.map((one) => one.constants)),
    nodes: [
      ...outer.nodes,
      ...packing.flatMap((one) => one.before),
      loop,
      ...packing.flatMap((one) => one.after),
    ],
  }
}

function bodyGraph(
  name: string,
  { body, number, carried, told }: Omit<LoopStep, 'packs'> & { body: ReturnType<typeof emit> },
): Graph {
  const goesOn: GraphNode = { op: 'Identity', inputs: ['go.in'], outputs: ['go.out'] }
  const flag: Omit<ValueInfo, 'name'> = { type: 'bool', shape: [] }
  return {
    name: `${name} step`,
    inputs: [
      { name: number.name!, type: 'int64', shape: [] },
      { name: 'go.in', ...flag },
      ...Object.values(carried).map(({ before }) => ({ ...carriedInfo({ before }), name: before.name! })),
    ],
    outputs: [
      { name: 'go.out', ...flag },
      ...Object.entries(carried).map(([of, one]) => ({ ...carriedInfo(one), name: `${of}.next` })),
      ...infoOf(told).map((info) => ({ ...info, name: `${info.name}.told` })),
    ],
    constants: body.constants,
    nodes: [goesOn, ...body.nodes],
  }
}

function carriedInfo({ before: { type, shape } }: Pick<Carried, 'before'>): Omit<ValueInfo, 'name'> {
  return { type, shape }
}

function checkCarried(carried: LoopStep['carried']): void {
  for (const [name, { before, after }] of Object.entries(carried))
    if (before.type !== after.type || String(before.shape) !== String(after.shape))
      throw new Error(
        `'${name}' goes in as ${before.type} [${before.shape.join(', ')}] and comes out as ${after.type} [${after.shape.join(', ')}]`,
      )
}

/** What changes from step to step, and what the changing takes from outside. */
function splitByStep(
  outputs: readonly Expression[],
  starts: readonly Expression[],
): { changing: Set<Expression>; around: Expression[] } {
  const order = inOrder(outputs)
  const changing = new Set(starts)
  for (const expression of order)
    if (expression.inputs.some((one) => changing.has(one))) changing.add(expression)
  const around = new Set<Expression>()
  for (const expression of order) {
    if (!changing.has(expression)) continue
    for (const one of expression.inputs)
      if (!changing.has(one) && one.value === undefined && one.inputs.length > 0) around.add(one)
  }
  return { changing, around: [...around] }
}
