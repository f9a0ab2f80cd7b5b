/**
 * Our side of bench/step, in a process of its own: steps as training runs them, and in turn with them nothing but the products of matrices
 * that such a step cannot do without, by the same runtime. Prints one JSON line.
 *
 *   ours.ts KIND GENES STEPS THREADS
 */
import type { Graph, GraphNode, ValueInfo } from '../../lib/graph/onnx-write.ts'
import { writeModel } from '../../lib/graph/onnx-write.ts'
import { openSession } from '../../lib/graph/session.ts'
import { float32, int64, sizeOf, type Tensor } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { cellBlock } from '../../lib/models/cell-block.ts'
import { firstWeights } from '../../lib/models/first-weights.ts'
import { feedMaker } from '../../lib/models/minibatch-feeds.ts'
import { type NetworkTask, networkOf } from '../../lib/models/network-task.ts'
import type { ScviShape } from '../../lib/models/scvi-network.ts'
import { type TrainingGraph, trainingGraph } from '../../lib/models/training-graph.ts'
import { usualShape } from '../scvi-shape.ts'
import { median } from '../section.ts'
import { simulatedCounts } from '../simulated-counts.ts'

const [kind = '', genes = 0, steps = 0, threads = 0] = process.argv
  .slice(2)
  .map((text, i) => (i === 0 ? text : Number(text))) as [string, number, number, number]
const [batchSize, hidden, latent, classes, runs] = [128, 128, 10, 30, 7]
const shape: ScviShape = {
  genes,
  hidden,
  latent,
  ...usualShape,
}
const task: NetworkTask =
  kind === 'scanvi'
    ? {
        kind: 'scanvi',
        shape: { ...shape, classes, linearClassifier: false },
        classificationRatio: 50,
        hasLabels: true,
      }
    : { kind: 'scvi', shape }
const draw = random(5)

function feedsOf(made: TrainingGraph): Record<string, Tensor> {
  const cells = batchSize * steps
  const batches = Array.from({ length: steps }, (_, step) =>
    Int32Array.from({ length: batchSize }, (_, i) => step * batchSize + i),
  )
  const groups = kind === 'scanvi' ? { cells: batches, labelled: batches } : { cells: batches }
  const fed: Record<string, Tensor> = {
    ...cellBlock(simulatedCounts({ cells, genes, classes }, 5), made.feeds),
    ...feedMaker(made).feed(groups, draw),
    steps: int64([steps], []),
    rate: float32(Float32Array.of(1e-3), []),
    'kl-weight': float32(Float32Array.of(0.1), []),
  }
  const weights = firstWeights(made.weights, draw)
  for (const { name, shape: of } of made.graph.inputs) {
    const first = name.replace(/\.first$/, '')
    const size = of as readonly number[]
    if (name !== first) fed[name] = float32(weights.get(first)?.data ?? new Float32Array(sizeOf(size)), size)
  }
  return fed
}

/** Each layer's product and the two of its gradient, without that towards the data. */
function productsGraph(): { graph: Graph; feeds: Record<string, Tensor> } {
  const inputs: ValueInfo[] = []
  const [carriedIn, carriedOut]: ValueInfo[][] = [[], []]
  const nodes: GraphNode[] = [{ op: 'Identity', inputs: ['go.in'], outputs: ['go.out'] }]
  const feeds: Record<string, Tensor> = { steps: int64([steps], []) }
  const feed = (name: string, of: number[]) => {
    inputs.push({ name, type: 'float32', shape: of })
    feeds[name] = float32(
      Float32Array.from({ length: sizeOf(of) }, () => draw.normal()),
      of,
    )
  }
  const product = (
    name: string,
    { of, shape, turned }: { of: [string, string]; shape: number[]; turned: number[] },
  ) => {
    const attributes = { transA: { int: turned[0]! }, transB: { int: turned[1]! } }
    nodes.push({ op: 'Gemm', inputs: of, outputs: [`${name}.next`], attributes })
    feed(name, shape)
    carriedIn!.push({ name: `${name}.before`, type: 'float32', shape })
    carriedOut!.push({ name: `${name}.next`, type: 'float32', shape })
  }
  for (const [i, { rows, inner, outputs, isFirst }] of layersOf().entries()) {
    const [x, w, y] = [`x${i}`, `w${i}`, `y${i}`]
    feed(x, [rows, inner])
    feed(w, [outputs, inner])
    feed(y, [rows, outputs])
    product(`${i} forward`, { of: [x, w], shape: [rows, outputs], turned: [0, 1] })
    product(`${i} weight`, { of: [y, x], shape: [outputs, inner], turned: [1, 0] })
    if (!isFirst) product(`${i} back`, { of: [y, w], shape: [rows, inner], turned: [0, 0] })
  }
  const body: Graph = {
    name: 'products of a step',
    inputs: [
      { name: 'step', type: 'int64', shape: [] },
      { name: 'go.in', type: 'bool', shape: [] },
      ...carriedIn!,
    ],
    outputs: [{ name: 'go.out', type: 'bool', shape: [] }, ...carriedOut!],
    nodes,
  }
  const names = carriedOut!.map(({ name }) => name.replace('.next', ''))
  const loop: GraphNode = {
    op: 'Loop',
    inputs: ['steps', '', ...names],
    outputs: names.map((name) => `${name}.after`),
    attributes: { body: { graph: body } },
  }
  const outputs = carriedOut!.map((one, i) => ({ ...one, name: `${names[i]!}.after` }))
  const all = [{ name: 'steps', type: 'int64' as const, shape: [] }, ...inputs]
  return { graph: { name: 'products', inputs: all, outputs, nodes: [loop] }, feeds }
}

interface Layer {
  rows: number
  inner: number
  outputs: number
  isFirst?: boolean
}

/** Those that matter: towards and from the genes, and of SCANVI those over cells times labels. */
function layersOf(): Layer[] {
  const encoder = { rows: batchSize, inner: genes, outputs: hidden, isFirst: true }
  const head = { rows: batchSize, inner: hidden, outputs: genes }
  if (kind !== 'scanvi') return [encoder, head, head]
  const rows = batchSize * classes
  const narrow = { rows, inner: hidden, outputs: latent }
  const wide = { rows, inner: latent, outputs: hidden }
  return [encoder, encoder, head, head, narrow, narrow, wide, narrow, narrow]
}

async function run(): Promise<object> {
  const made = trainingGraph(kind, {
    network: networkOf(task),
    optimiser: { epsilon: 0.01, decay: { rate: 1e-6, kind: 'coupled' } },
  })
  const opening = { notices: [], threads }
  const [own, products] = [feedsOf(made), productsGraph()]
  const session = await openSession(writeModel(made.graph), opening)
  const floor = await openSession(writeModel(products.graph), opening)
  const feeds = Object.fromEntries(made.graph.inputs.map(({ name }) => [name, own[name]!]))
  const timed = async (work: () => Promise<unknown>) => {
    const began = performance.now()
    await work()
    return (performance.now() - began) / steps
  }
  const [times, floors]: number[][] = [[], []]
  let last: number | undefined
  for (let i = 0; i <= runs; i++) {
    const time = await timed(async () => {
      last = (await session.run(feeds)).loss!.data.at(-1) as number
    })
    const least = await timed(() => floor.run(products.feeds))
    // the first run allocates
    if (i > 0) times!.push(time)
    if (i > 0) floors!.push(least)
  }
  const body = made.graph.nodes.find(({ op }) => op === 'Loop')!.attributes!.body as { graph: Graph }
  return {
    step: median(times!),
    products: median(floors!),
    nodes: body.graph.nodes.length,
    loss: last,
    peak_mib: process.resourceUsage().maxRSS / 1024,
  }
}

console.log(JSON.stringify(await run()))
