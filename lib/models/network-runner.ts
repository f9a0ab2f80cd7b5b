/**
 * Runs a network's steps: a session that trains and one that only looks, the weights and moments between runs, and what is fed. A run takes as many
 * steps as fit into a quarter of a second, because nothing else happens on its thread meanwhile; how many they are changes no result.
 */
import { graphOf } from '../graph/emit.ts'
import { input } from '../graph/expression.ts'
import { type BlockOptions, blockFeeds } from '../graph/feeds.ts'
import type { Graph } from '../graph/onnx-write.ts'
import { openSession, type Provider, type Session, type SessionOptions } from '../graph/session.ts'
import { float32, sizeOf, type Tensor } from '../graph/tensor.ts'
import type { ErrorReport } from '../job/errors.ts'
import type { Random } from '../job/random.ts'
import { cellBlock, placesOf } from './cell-block.ts'
import { type Batches, feedMaker } from './minibatch-feeds.ts'
import { builder } from './network.ts'
import { type NetworkTask, networkOf } from './network-task.ts'
import type { Weight } from './state-dict.ts'
import type { TrainingCells } from './training-cells.ts'
import { type TrainingPlan, trainingGraph } from './training-graph.ts'

/** By name: weights, statistics, moments and the number of steps. */
export type Carried = Readonly<Record<string, Float32Array>>

export interface RunnerOptions {
  task: NetworkTask
  data: TrainingCells
  optimiser: TrainingPlan['optimiser']
  /** the weights that move; all when absent */
  only?: readonly string[]
  /** batch normalisations whose running statistics stay */
  fixed?: readonly string[]
  providers?: readonly Provider[]
  threads?: number
  notices: ErrorReport[]
  /** milliseconds */
  clock(): number
}

export interface StepsTold {
  /** of each step */
  loss: Float32Array
  reconstruction: Float32Array
  divergence: Float32Array
  classification: Float32Array | null
}

export interface Runner {
  provider: Provider
  /** the weights of the network by name, of these shapes */
  shapes: ReadonlyMap<string, readonly number[]>
  /** all steps of the batches; `onSteps` after each run */
  train(
    batches: Batches,
    how: { rate: number; klWeight: number; random: Random; onSteps?(done: number): boolean },
  ): Promise<{ told: StepsTold; steps: number }>
  /** sums over these cells, weights as they are */
  look(cells: readonly Int32Array[], random: Random): Promise<{ reconstruction: number; divergence: number }>
  /** milliseconds that sessions ran so far: what a training takes beyond them is lost */
  running(): number
  /**
   * As it is now, and not to be written to. It stays as it is: every run leaves arrays of its own, in memory of JavaScript's (onnxruntime-node
   * copies what a session made), so that neither later runs nor `close` touch those there were.
   */
  carried(): Carried
  /** what is given is kept and not copied: it must stay as it is */
  restore(carried: Carried): void
  close(): Promise<void>
}

const runMilliseconds = 250

/** @param weights of the whole network, as it begins */
export async function openRunner(
  weights: ReadonlyMap<string, Weight>,
  options: RunnerOptions,
): Promise<Runner> {
  const { task, data, optimiser, only, fixed, notices, clock } = options
  const made = trainingGraph(task.kind, {
    network: networkOf(task),
    optimiser,
    places: placesOf(data),
    ...(only && { trains: (name: string) => only.includes(name) }),
    ...(fixed && { isFixed: (name: string) => fixed.includes(name) }),
  })
  const opening = {
    notices,
    ...(options.providers && { providers: options.providers }),
    ...(options.threads !== undefined && { threads: options.threads }),
  }
  const block = cellBlock(data, made.feeds)
  const session = await openSession({ graph: made.graph, held: block }, opening)
  const looking = await openLook(task, { block, places: placesOf(data), opening })
  const shapes = new Map(made.graph.inputs.map(({ name, shape }) => [name, shape as readonly number[]]))
  const shapeOf = (name: string) => shapes.get(`${name}.first`)!
  let state: Carried = Object.fromEntries(
    made.carried.map((name) => [name, weights.get(name)?.data ?? new Float32Array(sizeOf(shapeOf(name)))]),
  )
  const still = Object.fromEntries(
    [...weights]
      .filter(([name]) => !(name in state))
      .map(([name, { shape, data }]) => [name, float32(data, shape)]),
  )
  const [feeds, inputs] = [feedMaker(made), fedNames(made.graph, block)]
  let stepsPerRun = 1
  let running = 0

  const runSteps = async (batches: Batches, how: { rate: number; klWeight: number; random: Random }) => {
    const count = Object.values(batches)[0]!.length
    const fed: Record<string, Tensor> = { ...still, ...feeds.feed(batches, how.random) }
    for (const name of made.carried) fed[`${name}.first`] = float32(state[name]!, shapeOf(name))
    Object.assign(fed, { rate: one(how.rate), 'kl-weight': one(how.klWeight) })
    fed.steps = { type: 'int64', shape: [], data: BigInt64Array.of(BigInt(count)) }
    const began = clock()
    const results = await session.run(chosen(fed, inputs))
    const took = Math.max(1, clock() - began)
    running += took
    stepsPerRun = Math.max(1, Math.min(256, Math.round((count * runMilliseconds) / took)))
    state = Object.fromEntries(
      made.carried.map((name) => [name, results[`${name}.after`]!.data as Float32Array]),
    )
    return results
  }

  return {
    get provider() {
      return session.provider
    },
    shapes: new Map([...weights].map(([name, { shape }]) => [name, shape])),
    async train(batches, { onSteps, ...how }) {
      const total = Object.values(batches)[0]!.length
      const told = emptyTold(total, made.told.includes('classification'))
      let done = 0
      while (done < total) {
        const part = Object.fromEntries(
          Object.entries(batches).map(([group, steps]) => [group, steps.slice(done, done + stepsPerRun)]),
        )
        const results = await runSteps(part, how)
        for (const [name, values] of Object.entries(told))
          values?.set(results[name]!.data as Float32Array, done)
        done += Object.values(part)[0]!.length
        if (onSteps?.(done) === false) break
        await new Promise(setImmediate)
      }
      return { told, steps: done }
    },
    async look(cells, random) {
      const sums = { reconstruction: 0, divergence: 0 }
      const current = Object.fromEntries(
        [...weights].map(([name, { shape, data: first }]) => [name, float32(state[name] ?? first, shape)]),
      )
      for (const step of cells) {
        const fed = looking.feeds.feed({ cells: [step] }, random)
        const began = clock()
        const { reconstruction, divergence } = await looking.session.run(
          chosen({ ...fed, ...current, 'kl-weight': one(1) }, looking.inputs),
        )
        running += clock() - began
        sums.reconstruction += Number(reconstruction!.data[0])
        sums.divergence += Number(divergence!.data[0])
        await new Promise(setImmediate)
      }
      return sums
    },
    running: () => running,
    carried: () => ({ ...state }),
    restore(carried) {
      for (const name of made.carried)
        if (carried[name]?.length !== sizeOf(shapeOf(name))) throw new Error(`no ${name} to go on from`)
      state = Object.fromEntries(made.carried.map((name) => [name, carried[name]!]))
    },
    async close() {
      await session.close()
      await looking.session.close()
    },
  }
}

/** The same network in its other phase, without loop, gradients or dropout. */
async function openLook(
  task: NetworkTask,
  {
    block,
    places,
    opening,
  }: { block: Readonly<Record<string, Tensor>>; opening: SessionOptions } & Pick<BlockOptions, 'places'>,
) {
  const into = builder('inference', { feeds: blockFeeds({ ...(places && { places }) }) })
  const { told } = networkOf(task)(into, (name) => input(name, { type: 'float32', shape: [] }))
  const { reconstruction, divergence } = told
  const graph = graphOf(`${task.kind} look`, { reconstruction: reconstruction!, divergence: divergence! })
  const session: Session = await openSession({ graph, held: block }, opening)
  return { session, inputs: fedNames(graph, block), feeds: feedMaker(into) }
}

function fedNames({ inputs }: Graph, held: Readonly<Record<string, Tensor>>): string[] {
  return inputs.map(({ name }) => name).filter((name) => held[name] === undefined)
}

function chosen(all: Readonly<Record<string, Tensor>>, inputs: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(
    inputs.map((name) => {
      const tensor = all[name]
      if (tensor === undefined) throw new Error(`nothing is fed to ${name}`)
      return [name, tensor]
    }),
  )
}

function one(value: number): Tensor {
  return { type: 'float32', shape: [], data: Float32Array.of(value) }
}

function emptyTold(steps: number, hasClassifier: boolean): StepsTold {
  return {
    loss: new Float32Array(steps),
    reconstruction: new Float32Array(steps),
    divergence: new Float32Array(steps),
    classification: hasClassifier ? new Float32Array(steps) : null,
  }
}
