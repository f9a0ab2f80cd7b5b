/**
 * What a job asks of the decoder of its model, from facts and settings alone: how well cells are explained, and their normalised expression. Measured
 * on one EPYC core with a SCANVI of 128 hidden values and ten labels: 2,000 cells x 2,000 genes, of which each cell has 400, take 0.014 s
 * to place, 0.14 s to explain and 0.08 s to decode once.
 */
import type { Settings } from '../../job/manifest.ts'
import { nothing, type Size } from './step-sizes.ts'

export interface DecodeWork {
  /** seconds of Embed, on one processor */
  embed: number
  /** seconds of Publish */
  publish: number
  /** of the file of expression, and how many genes it has; 0 for none */
  bytes: number
  genes: number
}

/** Cells times genes in a second. */
const explainedPerSecond = 30e6
/** The same, of one draw and batch. */
const decodedPerSecond = 50e6
/** Read from the blocks of Embed, written, and written into the results. */
const bytesPerSecond = 80e6

export interface Decoded {
  query: Size
  /** of map-atlas, where there is one */
  atlas?: Size
  /** of the model */
  genes: number
}

/** undefined where nothing is decoded */
export function decodeWork(
  settings: Settings,
  { query, atlas = nothing, genes }: Decoded,
): DecodeWork | undefined {
  if (settings.workflow !== 'map-atlas' && settings.workflow !== 'fit-reference') return undefined
  const isExplained = settings.workflow === 'map-atlas' && settings.elbo
  if (!isExplained && !settings.normalized_expression) return undefined
  const explained = isExplained ? ((query.cells + atlas.cells) * genes) / explainedPerSecond : 0
  if (!settings.normalized_expression) return { embed: explained, publish: 0, bytes: 0, genes: 0 }
  const { n_samples = 1, transform_batch, expression_genes } = settings
  const isWithAtlas = settings.workflow === 'map-atlas' && settings.mode === 'extend'
  const cells = query.cells + (isWithAtlas ? atlas.cells : 0)
  const times = n_samples * (transform_batch === undefined ? 1 : [transform_batch].flat().length)
  const written = Math.min(genes, expression_genes?.length ?? genes)
  const bytes = 4 * cells * written
  return {
    embed: explained + (cells * genes * times) / decodedPerSecond,
    publish: bytes / bytesPerSecond,
    bytes,
    genes: written,
  }
}
