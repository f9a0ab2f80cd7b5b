/**
 * A linear model: one weight a class and gene, as CellTypist's logistic regressions are, with all that its card must say so that
 * nobody has to guess: genes, labels with their Cell Ontology terms, which probability its scores stand for.
 *
 * Trap: two classes have ONE row of weights, that of the second label; their scores are [-s, s], as in scikit-learn.
 */
import { z } from 'zod'
import {
  cardId,
  checkModelName,
  cardHash as hash,
  isUnique,
  modelFormat,
  modelName,
  cardName as name,
  ontologyTerm,
  parsedCard,
  sha256,
  cardText as text,
} from './model-card.ts'
import { corrupt } from './model-errors.ts'
import { trainingRecord } from './training-record.ts'

const blob = z.strictObject({
  bytes: z.int().min(0),
  sha256: hash,
  dtype: z.literal('float64'),
  shape: z.array(z.int().min(0)).min(1).max(2),
})

/** The last one only where the model knows what cells it was trained on look like. */
export const blobNames = ['weights', 'intercept', 'mean', 'scale', 'reference'] as const
export type BlobName = (typeof blobNames)[number]

export const modelCard = z.strictObject({
  format: z.literal(modelFormat),
  kind: z.literal('linear'),
  name: modelName,
  id: hash.describe('sha256 of everything here but id and created'),
  version: text,
  organism: name,
  geneIds: z.enum(['symbol', 'ensembl']),
  genes: z.array(name).min(1).max(500_000).refine(isUnique, 'a gene occurs twice'),
  labels: z.array(name).min(2).max(20_000).refine(isUnique, 'a label occurs twice'),
  ontology: z.record(name, ontologyTerm.nullable()).describe('the Cell Ontology term of each label'),
  labelsSource: text,
  loss: z.enum(['ovr', 'multinomial']).describe('a sigmoid for each label, or one softmax over all'),
  clip: z.number().positive().nullable().describe('scaled values above are set to it'),
  scaledOver: z
    .literal('genes')
    .optional()
    .describe('cells are scaled to 10,000 over the genes of the model, not over all that were measured'),
  centred: z.boolean().describe('the mean is subtracted before scaling'),
  blobs: z.strictObject({
    weights: blob,
    intercept: blob,
    mean: blob,
    scale: blob,
    reference: blob.optional(),
  }),
  classifiers: z.array(name).min(1).max(100),
  licence: text,
  source: text,
  details: text,
  url: text,
  trained: z.strictObject({
    how: text,
    estimator: z.enum(['LogisticRegression', 'SGDClassifier']),
    date: text,
    cells: z.int().min(0).nullable(),
    parameters: z.record(name, z.union([text, z.number(), z.boolean(), z.null()])),
  }),
  metrics: z.record(name, z.number()),
  calibration: z
    .strictObject({
      kind: z.literal('temperature'),
      status: z.enum(['calibrated', 'not-assessed']),
      scale: z.number().positive(),
      scales: z.array(z.number().positive()).max(20_000).optional(),
      cells: z.int().min(0),
      fewestCells: z.int().min(0),
      accuracy: z.number().nullable(),
      macroF1: z.number().nullable(),
      expectedCalibrationError: z.number().nullable(),
    })
    .optional()
    .describe('how scores become probabilities, and how right these were in cells that were held out'),
  reference: z
    .strictObject({ directions: z.int().min(1).max(1000), tail: z.int().min(1).max(1_000_000) })
    .optional()
    .describe(
      'how long the parts of the array of that name are, which tells cells unlike the training cells',
    ),
  training: trainingRecord.optional().describe('what it was trained on; imported models do not say'),
  created: z.string().max(64),
})

export type ModelCard = z.infer<typeof modelCard>

export interface LinearArrays {
  /** labels x genes, or 1 x genes for two labels */
  weights: Float64Array
  /** one number a row of weights */
  intercept: Float64Array
  /** one a gene, of log1p values; zeros where the model does not centre */
  mean: Float64Array
  /** one a gene; 0 counts as 1, as in scikit-learn */
  scale: Float64Array
  /** what `outOfReferenceTails` of lib/labels goes by, packed */
  reference?: Float64Array
}

export interface LinearModel extends LinearArrays {
  card: ModelCard
}

/** What a card says of itself; the rest follows from the arrays. */
export type ModelFacts = Omit<ModelCard, 'format' | 'kind' | 'id' | 'blobs'>

/** How many rows of weights so many labels have. */
export function weightRows(labels: number): number {
  return labels === 2 ? 1 : labels
}

/**
 * A whole model, its id computed. The same content has the same id, whenever it was created.
 * @param options.place where it came from, for messages; its name unless told
 * @throws BadInput MODEL_NAME, MODEL_CORRUPT when shapes or numbers contradict the facts
 */
export function makeLinearModel(
  facts: ModelFacts,
  arrays: LinearArrays,
  { place = facts.name }: { place?: string } = {},
): LinearModel {
  checkModelName(facts.name)
  const shapes = expectedShapes(facts)
  const blobs = Object.fromEntries(
    blobNames.flatMap((key) => {
      const values = arrays[key]
      if (values === undefined) return []
      const bytes = bytesOf(values)
      return [[key, { bytes: bytes.length, sha256: sha256(bytes), dtype: 'float64', shape: shapes[key] }]]
    }),
  )
  const named = { format: modelFormat, kind: 'linear', ...facts, blobs }
  return checkedModel({ card: { ...named, id: cardId(named) }, arrays, place })
}

/**
 * The card and the arrays of a stored model, compared with each other.
 * @throws BadInput MODEL_CORRUPT
 */
export function checkedModel({
  card: raw,
  arrays,
  place,
}: {
  card: unknown
  arrays: LinearArrays
  place: string
}): LinearModel {
  const card = checkedCard(raw, place)
  for (const key of blobNames) {
    const [values, stored] = [arrays[key], card.blobs[key]]
    if (values === undefined && stored === undefined) continue
    if (values === undefined || stored === undefined) throw corrupt(place, `${key} is missing`)
    if (values.byteLength !== stored.bytes) throw corrupt(place, `${key} has not the size of its shape`)
    if (sha256(bytesOf(values)) !== stored.sha256) throw corrupt(place, `${key} is not what the card says`)
    if (!values.every(Number.isFinite)) throw corrupt(place, `${key} holds what is no finite number`)
  }
  if (arrays.scale.some((value) => value < 0)) throw corrupt(place, 'a scale is negative')
  return { card, ...arrays }
}

/** A card that agrees with itself: schema, sizes, id. @throws BadInput MODEL_CORRUPT */
export function checkedCard(raw: unknown, place: string): ModelCard {
  const card = parsedCard(modelCard, raw, place)
  const shapes = expectedShapes(card)
  for (const key of blobNames) {
    const stored = card.blobs[key]
    if ((stored === undefined) !== (key === 'reference' && card.reference === undefined))
      throw corrupt(place, `${key} is there without its description, or the other way round`)
    if (stored === undefined) continue
    const { shape, bytes } = stored
    const count = shapes[key].reduce((product, length) => product * length, 1)
    if (shape.join() !== shapes[key].join() || bytes !== 8 * count)
      throw corrupt(place, `${key} has not one number for each label and gene`)
  }
  if (cardId(card) !== card.id) throw corrupt(place, 'the card was changed after it was made')
  return card
}

function expectedShapes({
  labels,
  genes,
  reference,
}: Pick<ModelCard, 'labels' | 'genes' | 'reference'>): Record<BlobName, number[]> {
  const rows = weightRows(labels.length)
  const { directions, tail } = reference ?? { directions: 0, tail: 0 }
  return {
    weights: [rows, genes.length],
    intercept: [rows],
    mean: [genes.length],
    scale: [genes.length],
    reference: [packedLength({ labels: labels.length, genes: genes.length, directions, tail })],
  }
}

/** Numbers in the array `reference`; lib/labels packs and unpacks it. */
export function packedLength(of: {
  labels: number
  genes: number
  directions: number
  tail: number
}): number {
  const { labels, genes, directions, tail } = of
  return directions * (genes + 1 + labels) + 4 * labels + 2 * tail + 1
}

export function bytesOf(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}
