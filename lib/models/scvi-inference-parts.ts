/** What the ways of looking at cells share: graphs opened when first wanted, rows cut into runs, what runs are fed. */
import { setImmediate } from 'node:timers/promises'
import type { RowSlab } from '../data/cells.ts'
import { float32, type Tensor } from '../graph/tensor.ts'
import { random } from '../job/random.ts'
import { meanPlaces, type PlaceRows } from './latent-shares.ts'
import { libraryNoise } from './scvi-encoder.ts'
import type { InferenceOptions } from './scvi-inference.ts'
import {
  decoderOutputs,
  encoderOutputs,
  libraryOutputs,
  lossOutputs,
  type OpenGraph,
  openGraph,
} from './scvi-inference-graphs.ts'
import type { ScviModel } from './scvi-model.ts'
import { type CellCovariates, covariateFeeds } from './slab-feeds.ts'

export interface Parts {
  model: ScviModel
  place: string
  encoder(): Promise<OpenGraph>
  /** of library sizes; of a model that learns them */
  librarian(): Promise<OpenGraph>
  /** mean places of rows */
  places(rows: PlaceRows): Float32Array
  decoder(): Promise<OpenGraph>
  comparer(): Promise<OpenGraph>
  close(): Promise<void>
}

export function openParts(model: ScviModel, { place, ...options }: InferenceOptions): Parts {
  const opened: Promise<OpenGraph>[] = []
  const lazily = (outputs: Parameters<typeof openGraph>[1]) => {
    let graph: Promise<OpenGraph> | undefined
    return () => {
      if (graph !== undefined) return graph
      graph = openGraph(model, outputs, options)
      opened.push(graph)
      return graph
    }
  }
  return {
    ...{ model, place },
    encoder: lazily(encoderOutputs),
    librarian: lazily(libraryOutputs),
    places: meanPlaces(model.shape),
    decoder: lazily(decoderOutputs),
    comparer: lazily(lossOutputs),
    async close() {
      for (const graph of opened.splice(0)) await (await graph).session.close()
    },
  }
}

/** Rows of a slab, or of places in latent space. */
export interface Range {
  from: number
  to: number
}

const mostPlaces = 2 ** 22

/**
 * Rows that fit into one run each; between runs the event loop has its turn.
 * @param slab.columns must be the genes of the model
 */
export async function* rangesOf(
  { rows, columns }: Pick<RowSlab, 'rows' | 'columns'>,
  { model }: Parts,
  perRow = 1,
): AsyncGenerator<Range> {
  const { genes } = model.shape
  if (columns !== genes) throw new Error(`a slab of ${columns} genes for a model of ${genes}`)
  const step = Math.max(1, Math.floor(mostPlaces / Math.max(genes, perRow)))
  for (let from = 0; from < rows; from += step) {
    yield { from, to: Math.min(rows, from + step) }
    await setImmediate()
  }
}

/** @param cells.start number in the matrix of row 0 */
export function covariatesOf(
  { model, place }: Parts,
  { wanted }: Pick<OpenGraph, 'wanted'>,
  { covariates, start, from, to }: Range & { covariates: CellCovariates; start: number },
): Record<string, Tensor> {
  return covariateFeeds(covariates, { from: start + from, to: start + to, shape: model.shape, wanted, place })
}

/** What the graph takes of these; others are left out. */
export async function runGraph(
  { session, wanted }: OpenGraph,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Float32Array>> {
  const got = await session.run(
    Object.fromEntries(Object.entries(feeds).filter(([name]) => wanted.has(name))),
  )
  return Object.fromEntries(Object.entries(got).map(([name, { data }]) => [name, data as Float32Array]))
}

/** Standard normal draws of cells, cell by cell; each from a generator of its own, by the cell's number unless others are told. */
export function cellNoise(
  seed: number,
  { from, to, width, numbers }: Range & { width: number; numbers?: Int32Array | undefined },
): Float32Array {
  const all = random(seed)
  const noise = new Float32Array((to - from) * width)
  for (let cell = from; cell < to; cell++) {
    const own = all.fork(`cell ${numbers?.[cell - from] ?? cell}`)
    for (let i = 0; i < width; i++) noise[(cell - from) * width + i] = own.normal()
  }
  return noise
}

/** The noise of a loss: draws by a seed, or none, which is the mean. */
export function noiseOf(
  { kind, shape }: ScviModel,
  { from, to, seed }: Range & { seed: number | undefined },
): Record<string, Tensor> {
  const { latent } = shape
  const cells = to - from
  const classes = kind === 'scanvi' && 'classes' in shape ? shape.classes : 0
  const isLearned = shape.library === 'learned'
  const width = latent * (1 + classes) + Number(isLearned)
  const noise = seed === undefined ? new Float32Array(cells * width) : cellNoise(seed, { from, to, width })
  const z = new Float32Array(cells * latent)
  const z2 = new Float32Array(cells * latent * classes)
  const l = new Float32Array(isLearned ? cells : 0)
  for (let cell = 0; cell < cells; cell++) {
    const own = noise.subarray(cell * width, (cell + 1) * width)
    z.set(own.subarray(0, latent), cell * latent)
    // rows of label and cell: all cells with the first label, then with the second
    for (let label = 0; label < classes; label++)
      z2.set(own.subarray((1 + label) * latent, (2 + label) * latent), (label * cells + cell) * latent)
    if (isLearned) l[cell] = own.at(-1)!
  }
  return {
    z: float32(z, [cells, latent]),
    z2: float32(z2, [cells * classes, latent]),
    ...(isLearned && { [libraryNoise]: float32(l, [cells, 1]) }),
  }
}
