/**
 * Trainings by WebGPU and by the CPU, for webgpu.test.ts: a program of its own, because where the Vulkan driver lies is read from the environment that
 * a process starts with. One line of JSON each.
 */
import { type Graph, writeModel } from '../../lib/graph/onnx-write.ts'
import { openSession, type Provider } from '../../lib/graph/session.ts'
import { float32 } from '../../lib/graph/tensor.ts'
import type { ErrorReport } from '../../lib/job/errors.ts'
import { random } from '../../lib/job/random.ts'
import { beginning } from '../../lib/models/fit-network.ts'
import { openRunner } from '../../lib/models/network-runner.ts'
import type { NetworkTask } from '../../lib/models/network-task.ts'
import type { TrainingCells } from '../../lib/models/training-cells.ts'
import { smallShape } from '../models/toy-scvi.ts'

const [cells, genes, size, steps] = [60, 20, 16, 5]
const shape = { ...smallShape, genes, labels: 3 }
const tasks: Record<string, NetworkTask> = {
  scvi: {
    kind: 'scvi',
    shape: {
      ...shape,
      ...{ layers: 2, continuous: 1, encodeCovariates: true, deeplyInject: false },
      ...{ batchNorm: 'none', layerNorm: 'both', dispersion: 'gene-label', likelihood: 'nb' },
      ...{ library: 'learned', latentDistribution: 'ln' },
    },
  },
  scanvi: {
    kind: 'scanvi',
    shape: { ...shape, classes: 3, linearClassifier: false },
    classificationRatio: 50,
    hasLabels: true,
  },
}

function drawnCells(): TrainingCells {
  const draw = random(11)
  const counts = Array.from({ length: cells }, () =>
    Array.from({ length: genes }, (_, gene) => (gene === 0 ? 1 : Math.max(0, draw.integer(12) - 6))),
  )
  const above = counts.map((row) => row.flatMap((x, gene) => (x > 0 ? [{ gene, x }] : [])))
  const codes = (of: number) => Int32Array.from({ length: cells }, () => draw.integer(of))
  return {
    ...{ cells, genes },
    indptr: Float64Array.from({ length: cells + 1 }, (_, cell) => above.slice(0, cell).flat().length),
    indices: Int32Array.from(above.flat(), ({ gene }) => gene),
    counts: Float32Array.from(above.flat(), ({ x }) => x),
    library: Float32Array.from(counts, (row) => row.reduce((sum, x) => sum + x, 0)),
    categories: [codes(2)],
    continuous: Float32Array.from({ length: cells }, () => draw.normal()),
    labels: codes(3),
  }
}

/** Every minibatch of other cells; the last ones are smaller. */
async function trained(task: NetworkTask, provider: Provider) {
  const notices: ErrorReport[] = []
  const runner = await openRunner(beginning(task, { seed: 1 }), {
    ...{ task, data: drawnCells(), notices, providers: [provider], threads: 1 },
    optimiser: { epsilon: 0.01, decay: { rate: 1e-6, kind: 'coupled' } },
    clock: () => performance.now(),
  })
  const batches = Array.from({ length: steps }, (_, step) =>
    Int32Array.from({ length: size - step }, (_, i) => (7 * i + 11 * step) % cells),
  )
  const groups =
    task.kind === 'scvi' ? { cells: batches } : { cells: batches, labelled: batches.toReversed() }
  const { told } = await runner.train(groups, { rate: 1e-2, klWeight: 0.3, random: random(3) })
  const seen = await runner.look(batches, random(4))
  const carried = runner.carried()
  const { provider: by } = runner
  await runner.close()
  return { by, losses: Array.from(told.loss), seen, carried, notices }
}

async function compared(name: string) {
  const [own, other] = [await trained(tasks[name]!, 'cpu'), await trained(tasks[name]!, 'webgpu')]
  let difference = 0
  for (const [of, values] of Object.entries(own.carried)) {
    // what has no gradient but rounding has moments of rounding
    if (of.endsWith('-moment')) continue
    const scale = Math.max(...values.map(Math.abs), 1e-3)
    for (const [i, value] of values.entries())
      difference = Math.max(difference, Math.abs(value - other.carried[of]![i]!) / scale)
  }
  const { losses, seen } = own
  return { name, by: other.by, losses: [losses, other.losses], seen: [seen, other.seen], difference }
}

/** A row in so many parts, which no shader can write at once. */
async function inParts(parts: number) {
  const names = Array.from({ length: parts }, (_, i) => `part ${i}`)
  const graph: Graph = {
    name: 'parts',
    inputs: [{ name: 'x', type: 'float32', shape: [2 * parts] }],
    outputs: names.map((of) => ({ name: of, type: 'float32', shape: [2] })),
    nodes: [
      {
        ...{ op: 'Split', inputs: ['x'], outputs: names },
        attributes: { axis: { int: 0 }, num_outputs: { int: parts } },
      },
    ],
  }
  const notices: ErrorReport[] = []
  const session = await openSession(writeModel(graph), { providers: ['webgpu', 'cpu'], notices })
  const first = session.provider
  const x = float32(Float32Array.from({ length: 2 * parts }, (_, i) => i))
  const results = await session.run({ x })
  const then = session.provider
  await session.close()
  return {
    ...{ name: 'parts', first, then, notices },
    parts: names.map((of) => Array.from(results[of]!.data as Float32Array)),
  }
}

for (const name of Object.keys(tasks)) console.log(JSON.stringify(await compared(name)))
console.log(JSON.stringify(await inParts(40)))
