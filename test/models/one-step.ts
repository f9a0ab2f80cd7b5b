/** One training step of a small network on given cells and drawn noise: its loss, what it tells, and the gradient of every weight. */
import { input } from '../../lib/graph/expression.ts'
import { wholeFeeds } from '../../lib/graph/feeds.ts'
import { gradients } from '../../lib/graph/gradient.ts'
import { float32, type Tensor } from '../../lib/graph/tensor.ts'
import { random } from '../../lib/job/random.ts'
import { firstWeights } from '../../lib/models/first-weights.ts'
import { withLibraryPrior } from '../../lib/models/library-prior.ts'
import { builder } from '../../lib/models/network.ts'
import { type NetworkTask, networkOf } from '../../lib/models/network-task.ts'
import { joinWeights, type Weight } from '../../lib/models/state-dict.ts'
import { compute } from '../graph/compute.ts'

export interface StepCells {
  /** cells x genes */
  counts: number[][]
  batch: number[]
  /** of a dispersion by label, -1 for none; and, of SCANVI, of its labelled cells, which are all that have one */
  label: number[]
}

export function stepCells(
  seed: number,
  { cells, genes, labels }: { cells: number; genes: number; labels: number },
): StepCells {
  const draw = random(seed)
  const numbers = Array.from({ length: cells }, (_, cell) => cell)
  return {
    counts: numbers.map(() =>
      Array.from({ length: genes }, (_, gene) => (gene === 0 ? 1 : Math.max(0, draw.integer(12) - 5))),
    ),
    batch: numbers.map((cell) => cell % 2),
    label: numbers.map((cell) => (cell % 3 === 2 ? -1 : cell % labels)),
  }
}

export interface OneStep {
  loss: number
  told: Record<string, number>
  /** whole, as a state dict has them */
  weights: Map<string, Weight>
  slopes: Map<string, Weight>
  noise: Record<string, number[]>
}

export async function oneStep(
  task: NetworkTask,
  {
    cells,
    klWeight,
    seed,
    isNoisy = true,
  }: { cells: StepCells; klWeight: number; seed: number; isNoisy?: boolean },
): Promise<OneStep> {
  const into = builder('training', { feeds: wholeFeeds() })
  const { loss, told } = networkOf(task)(into, (of) => input(of, { type: 'float32', shape: [] }))
  const data = { library: sums(cells.counts), categories: [Int32Array.from(cells.batch)] }
  const { weights } = withLibraryPrior(firstWeights(into.weights, random(seed)), { data })
  const trained = [...into.weights].filter(([, { kind }]) => kind === 'trained')
  const slopes = gradients(
    loss,
    trained.map(([, { expression }]) => expression),
  )
  const draw = random(seed).fork('noise')
  const noise = Object.fromEntries(
    [...into.noise.keys()].map((name) => {
      const { each = 1, width = 1 } = into.feeds.taken.get(name)!
      const rows = cells.counts.length * each
      const drawn = Float32Array.from({ length: rows * width }, () => (isNoisy ? draw.normal() : 0))
      return [name, float32(drawn, [rows, width])]
    }),
  )
  const labelled = chosen(cells, (cell) => cells.label[cell]! >= 0)
  const got = await compute(
    {
      ...{ loss, ...Object.fromEntries(Object.entries(told).map(([of, value]) => [`told ${of}`, value])) },
      ...Object.fromEntries(trained.flatMap(([of], i) => (slopes[i] ? [[`d ${of}`, slopes[i]]] : []))),
    },
    {
      ...Object.fromEntries([...weights].map(([of, { shape, data: own }]) => [of, float32(own, shape)])),
      ...{ ...feedsOf(cells), ...feedsOf(labelled, 'labelled '), ...noise },
      'kl-weight': { type: 'float32', shape: [], data: Float32Array.of(klWeight) },
    },
  )
  const number = (of: string) => Number(got[of]!.data[0])
  const found = trained.flatMap(([of, { shape }]): [string, Weight][] =>
    got[`d ${of}`] === undefined ? [] : [[of, { shape, data: got[`d ${of}`]!.data as Float32Array }]],
  )
  return {
    loss: number('loss'),
    told: Object.fromEntries(Object.keys(told).map((of) => [of, number(`told ${of}`)])),
    weights: joinWeights(weights),
    slopes: joinWeights(new Map(found)),
    noise: Object.fromEntries(
      Object.entries(noise).map(([of, { data: own }]) => [of, [...(own as Float32Array)]]),
    ),
  }
}

function chosen({ counts, batch, label }: StepCells, isWanted: (cell: number) => boolean): StepCells {
  const of = <Item>(items: Item[]) => items.filter((_, cell) => isWanted(cell))
  return { counts: of(counts), batch: of(batch), label: of(label) }
}

function sums(counts: number[][]): Float32Array {
  return Float32Array.from(counts, (row) => row.reduce((sum, x) => sum + x, 0))
}

function feedsOf({ counts, batch, label }: StepCells, prefix = ''): Record<string, Tensor> {
  const genes = counts[0]!.length
  const above = counts.flatMap((row, cell) =>
    row.flatMap((x, gene) => (x > 0 ? [{ place: cell * genes + gene, gene, x }] : [])),
  )
  const whole = (values: readonly number[]): Tensor => ({
    type: 'int32',
    shape: [values.length],
    data: Int32Array.from(values),
  })
  return {
    [`${prefix}places`]: whole(above.map(({ place }) => place)),
    [`${prefix}genes`]: whole(above.map(({ gene }) => gene)),
    [`${prefix}counts`]: float32(Float32Array.from(above, ({ x }) => x)),
    [`${prefix}library`]: float32(sums(counts), [counts.length, 1]),
    [`${prefix}category 0`]: whole(batch),
    [`${prefix}labels`]: whole(label),
    [`${prefix}classes`]: whole(label),
  }
}
