/**
 * A network's training as one graph: the loss of a minibatch, its gradients, Adam, and the loop over steps around them. A run is fed the cells
 * and noise of all its steps one after another, what is carried, and the rates; it gives back what is carried and what is told of each step.
 * Inside the loop small weights and their moments lie end to end; outside every one keeps its own name.
 */
import { type AdamOptions, adam } from '../graph/adam.ts'
import { type Expression, input } from '../graph/expression.ts'
import { type BlockOptions, blockFeeds, type Feeds } from '../graph/feeds.ts'
import { gradients } from '../graph/gradient.ts'
import { type Carried, loopGraph, stepNumber } from '../graph/loop.ts'
import type { Graph } from '../graph/onnx-write.ts'
import { add, squeeze } from '../graph/operations/arithmetic.ts'
import { type Packed, type Parts, pack, replaceInputs } from '../graph/packing.ts'
import { sizeOf } from '../graph/tensor.ts'
import { type Builder, builder, type Noise, type WeightSpec } from './network.ts'

export interface TrainingParts {
  /** one number, any shape with a single entry */
  loss: Expression
  /** numbers worth knowing of each step, likewise */
  told: Readonly<Record<string, Expression>>
}

export interface TrainingPlan {
  /** puts the network together; numbers that change from epoch to epoch come by `rate(name)` */
  network(into: Builder, rate: (name: string) => Expression): TrainingParts
  /** weights that move; all when absent */
  trains?: (name: string) => boolean
  /** statistics that stay */
  isFixed?: (name: string) => boolean
  optimiser: Omit<AdamOptions, 'rate' | 'stepsBefore'>
  places?: BlockOptions['places']
}

export interface TrainingGraph {
  graph: Graph
  /** of the whole network, trained or not; those that do not move are fed under their names */
  weights: ReadonlyMap<string, WeightSpec>
  /** weights that move, and statistics: fed as `NAME.first`, given back as `NAME.after` */
  carried: readonly string[]
  feeds: Feeds
  noise: ReadonlyMap<string, Noise>
  /** numbers, [] each, that are fed; 'rate' among them */
  rates: readonly string[]
  told: readonly string[]
}

export function trainingGraph(name: string, plan: TrainingPlan): TrainingGraph {
  const { trains = () => true, isFixed = () => false } = plan
  const step = stepNumber()
  const rates = new Map<string, Expression>()
  const number = (of: string): Expression => {
    const there = rates.get(of) ?? input(of, { type: 'float32', shape: [] })
    rates.set(of, there)
    return there
  }
  const into = builder('training', {
    feeds: blockFeeds({ step, ...(plan.places && { places: plan.places }) }),
    isFixed,
  })
  const { loss, told } = plan.network(into, number)
  const moving = [...into.weights].filter(([of, { kind }]) => kind === 'trained' && trains(of))
  const slopes = gradients(
    loss,
    moving.map(([, { expression }]) => expression),
  )
  const moved = moving.flatMap(([of, { expression: weight }], i) => {
    const gradient = slopes[i]
    // PyTorch skips what the loss does not depend on: no step and no decay
    return gradient === undefined ? [] : [[of, { weight, gradient }] as const]
  })
  const stepsBefore = input('steps-before', { type: 'float32', shape: [] })
  const { large, small } = bySize(moved)
  const moves = { ...large, ...(small && { [together]: small }) }
  const carried: Record<string, Carried> = {
    'steps-before': { before: stepsBefore, after: add(stepsBefore, 1) },
    ...adam(moves, { ...plan.optimiser, rate: number('rate'), stepsBefore }),
    ...Object.fromEntries(into.statistics),
  }
  const numbers = Object.fromEntries(
    Object.entries({ loss, ...told }).map(([of, value]) => [of, single(value)]),
  )
  const packs = small === undefined ? {} : packsOf(small.parts)
  const graph = loopGraph(name, {
    number: step,
    ...(small === undefined ? { carried, told: numbers } : inSlices({ carried, numbers }, small)),
    packs,
  })
  return {
    graph,
    weights: into.weights,
    carried: Object.keys(carried).flatMap((of) => packs[of]?.map((part) => part.name) ?? [of]),
    feeds: into.feeds,
    noise: into.noise,
    rates: [...rates.keys()],
    told: Object.keys(numbers),
  }
}

type Moving = Record<string, { weight: Expression; gradient: Expression }>

const together = 'small weights'

/** What has fewer numbers than the first layers of usual networks goes through the optimiser together. */
function bySize(moved: readonly (readonly [string, Moving[string]])[]): {
  large: Moving
  small: Packed | undefined
} {
  const isSmall = ([, { weight }]: (typeof moved)[number]) => sizeOf(weight.shape as number[]) <= 16_384
  const few = moved.filter(isSmall)
  if (few.length < 2) return { large: Object.fromEntries(moved), small: undefined }
  const large = Object.fromEntries(moved.filter((one) => !isSmall(one)))
  return { large, small: pack(together, Object.fromEntries(few)) }
}

function packsOf(parts: Parts): Record<string, Parts> {
  const called = (suffix: string) => parts.map((part) => ({ ...part, name: `${part.name}${suffix}` }))
  return Object.fromEntries(
    ['', '.first-moment', '.second-moment'].map((suffix) => [`${together}${suffix}`, called(suffix)]),
  )
}

/** The same step, in which small weights are parts of the long one. */
function inSlices(
  { carried, numbers }: { carried: Record<string, Carried>; numbers: Record<string, Expression> },
  { slices }: Packed,
): { carried: Record<string, Carried>; told: Record<string, Expression> } {
  const afters = Object.fromEntries(Object.entries(carried).map(([of, { after }]) => [`after ${of}`, after]))
  const toldNow = Object.fromEntries(Object.entries(numbers).map(([of, value]) => [`told ${of}`, value]))
  const now = replaceInputs({ ...afters, ...toldNow }, slices)
  return {
    carried: Object.fromEntries(
      Object.entries(carried).map(([of, { before }]) => [of, { before, after: now[`after ${of}`]! }]),
    ),
    told: Object.fromEntries(Object.keys(numbers).map((of) => [of, now[`told ${of}`]!])),
  }
}

function single(value: Expression): Expression {
  return squeeze(
    value,
    value.shape.map((_, axis) => axis),
  )
}
