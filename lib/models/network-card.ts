/**
 * The card of a scVI or SCANVI model: all that it is but for its numbers, so that jobs know its genes, batches and labels without fetching them.
 * Names out of files (labels, tensors, figures) stand in lists and are never keys of an object: a label may be "__proto__".
 *
 * Trap: a history may hold what JSON has no number for; such values are words here.
 */
import { z } from 'zod'
import {
  cardId,
  cardHash as hash,
  isUnique,
  modelFormat,
  modelName,
  cardName as name,
  type OntologyTerm,
  ontologyTerm,
  parsedCard,
  cardText as text,
} from './model-card.ts'
import { corrupt } from './model-errors.ts'

const count = z.int().min(0)
const size = z.int().min(1).max(1_000_000)
const figure = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])])
const scalar = z.union([text, z.number(), z.boolean(), z.null()])
const where = z.enum(['encoder', 'decoder', 'both', 'none'])

/** Bytes of all tensors together: what a folder reads in one go. */
export const mostWeightBytes = 2 ** 31 - 2 ** 20

const column = z.strictObject({
  column: text.nullable().describe('of obs; null where the model was made without'),
  categories: z.array(text).min(1).max(1_000_000).refine(isUnique, 'a category occurs twice'),
  type: z.enum(['text', 'integer', 'float', 'boolean']),
})

const shape = z.strictObject({
  genes: size,
  hidden: size,
  latent: size,
  layers: z.int().min(1).max(100),
  categories: z.tuple([size], size),
  continuous: z.int().min(0).max(10_000),
  encodeCovariates: z.boolean(),
  deeplyInject: z.boolean(),
  batchNorm: where,
  layerNorm: where,
  dropout: z.number().min(0).lt(1),
  dispersion: z.enum(['gene', 'gene-batch', 'gene-label', 'gene-cell']),
  likelihood: z.enum(['zinb', 'nb', 'poisson']),
  labels: z.int().min(0).max(1_000_000),
  library: z
    .literal('learned')
    .optional()
    .describe('how many counts a cell has in all; its own sum without it'),
  latentDistribution: z.literal('ln').optional().describe('logistic normal; normal without it'),
})

const training = z.strictObject({
  cells: count.describe('that it was made with'),
  isTrained: z.boolean(),
  epochs: count.nullable().describe('null where nothing says it'),
  settings: z.record(name, scalar).describe('as the job or file has them'),
  history: z
    .array(z.strictObject({ figure: text, epochs: z.array(count), values: z.array(figure) }))
    .max(1000)
    .refine((all) => all.every(({ epochs, values }) => epochs.length === values.length), 'lengths differ')
    .refine((all) => isUnique(all.map((one) => one.figure)), 'a figure occurs twice'),
  scviTools: text.describe('version of scvi-tools, in whose form it is; empty where nothing says it'),
  versions: z.record(name, text).describe('of the programs that made it'),
  sources: z
    .array(z.strictObject({ name: text, etag: text.nullable(), cells: count.nullable() }))
    .max(1000)
    .describe('files that it was trained on'),
  split: z
    .strictObject({ training: count.nullable(), validation: count.nullable() })
    .describe('how many of the row numbers that lie beside it are of each part; null where it is not known'),
})

const blob = <Type extends 'float32' | 'int32'>(dtype: Type) =>
  z.strictObject({ bytes: count.max(mostWeightBytes), sha256: hash, dtype: z.literal(dtype) })

const reference = z
  .strictObject({
    cells: count.min(1),
    columns: z
      .array(
        z.strictObject({
          column: name,
          categories: z.array(text).min(1).max(1_000_000).refine(isUnique, 'a category occurs twice'),
        }),
      )
      .max(100)
      .refine((all) => isUnique(all.map((one) => one.column)), 'a column occurs twice'),
  })
  .optional()
  .describe('cells of the reference that are kept, and the columns of obs that label them; none without it')

const common = {
  format: z.literal(modelFormat),
  name: modelName,
  id: hash.describe('sha256 of everything here but id and created'),
  version: text,
  organism: name,
  geneIds: z.enum(['symbol', 'ensembl']),
  genes: z.array(text).min(1).max(1_000_000).describe('in the order of its inputs; one may occur twice'),
  setup: z.strictObject({
    layer: text.nullable(),
    batch: column,
    categorical: z.array(column).max(1000),
    continuous: z.array(text).max(10_000),
    labels: column.describe('in the order of their codes; of SCANVI the last is the unlabelled one'),
  }),
  ontology: z
    .array(z.strictObject({ label: text, ...ontologyTerm.shape }))
    .refine((all) => isUnique(all.map(({ label }) => label)), 'a label occurs twice')
    .describe('the Cell Ontology terms of the labels that have one'),
  tensors: z
    .array(z.strictObject({ name: text, shape: z.array(count).max(8) }))
    .min(1)
    .max(100_000)
    .refine((all) => isUnique(all.map((one) => one.name)), 'a tensor occurs twice')
    .describe('one after the other in the weights'),
  batchesTracked: z
    .array(z.strictObject({ name: text, steps: count }))
    .max(100_000)
    .refine((all) => isUnique(all.map((one) => one.name)), 'a name occurs twice'),
  decoder: z.enum(['computed', 'not-computed']),
  training,
  bins: z
    .strictObject({ count: z.int().min(2).max(10_000) })
    .nullable()
    .describe('counts of each cell are put into so many bins before the model sees them'),
  evaluation: z.record(name, z.number()).nullable().describe('null where it was not assessed'),
  reference,
  licence: text,
  source: text,
  details: text,
  blobs: z.strictObject({
    weights: blob('float32'),
    rows: blob('int32')
      .optional()
      .describe('rows that it was trained on, then those that it was validated on'),
    referenceLatent: blob('float32')
      .optional()
      .describe('cells of the reference x dimensions of the latent space'),
    referenceLabels: blob('int32')
      .optional()
      .describe('columns x cells of the reference: place in the categories of the column, -1 for none'),
  }),
  created: z.string().max(64),
}

export const networkCard = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('scvi'), shape, ...common }),
  z.strictObject({
    kind: z.literal('scanvi'),
    shape: z.strictObject({ ...shape.shape, classes: size, linearClassifier: z.boolean() }),
    unlabelled: text.describe('what cells without a label are called'),
    hasSoftmaxWithin: z.boolean().describe('trained by scvi-tools before 1.1, with its softmax taken twice'),
    ...common,
  }),
])

export type NetworkCard = z.infer<typeof networkCard>
/** Labels that it predicts, in the order of its logits; none of a scVI. */
export function labelsOfNetwork(card: NetworkCard): readonly string[] {
  return card.kind === 'scanvi' ? card.setup.labels.categories.slice(0, card.shape.classes) : []
}

/** Cell Ontology terms by label. */
export function termsOfNetwork({ ontology }: NetworkCard): Map<string, OntologyTerm> {
  return new Map(ontology.map(({ label, ...term }) => [label, term]))
}

/** A card that agrees with itself: schema, sizes, id. @throws BadInput MODEL_CORRUPT */
export function checkedNetworkCard(raw: unknown, place: string): NetworkCard {
  const card = parsedCard(networkCard, raw, place)
  const contradiction = contradictionIn(card)
  if (contradiction !== undefined) throw corrupt(place, contradiction)
  if (cardId(card) !== card.id) throw corrupt(place, 'the card was changed after it was made')
  return card
}

function contradictionIn(card: NetworkCard): string | undefined {
  const { genes, setup, tensors, blobs, shape: of } = card
  if (genes.length !== of.genes) return `${genes.length} genes are named, and the network takes ${of.genes}`
  const widths = [setup.batch, ...setup.categorical].map(({ categories }) => categories.length)
  if (widths.join() !== of.categories.join() || setup.continuous.length !== of.continuous)
    return 'its covariates are not those that the network takes'
  if (card.kind === 'scanvi') {
    const { categories } = setup.labels
    if (categories.length !== card.shape.classes + 1 || categories.at(-1) !== card.unlabelled)
      return 'its labels are not those that the classifier tells apart'
  }
  const labels = new Set(labelsOfNetwork(card))
  if (card.ontology.some(({ label }) => !labels.has(label))) return 'a term is that of no label'
  const numbers = tensors.reduce((sum, one) => sum + lengthOf(one.shape), 0)
  if (blobs.weights.bytes !== 4 * numbers) return 'weights has not the size of its tensors'
  const { training: train, validation } = card.training.split
  const isKnown = train !== null || validation !== null
  const rows = (train ?? 0) + (validation ?? 0)
  if (isKnown !== (blobs.rows !== undefined) || (blobs.rows?.bytes ?? 0) !== 4 * rows)
    return 'rows is there without its description, or the other way round'
  const { reference, shape } = card
  const latentBytes = reference === undefined ? undefined : 4 * reference.cells * shape.latent
  const labelBytes = reference?.columns.length ? 4 * reference.cells * reference.columns.length : undefined
  if (blobs.referenceLatent?.bytes !== latentBytes || blobs.referenceLabels?.bytes !== labelBytes)
    return 'the cells of its reference are there without their description, or the other way round'
  return undefined
}

/** How many numbers a tensor holds. */
export function lengthOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1)
}
