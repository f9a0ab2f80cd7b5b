/**
 * Every setting of the `map-atlas` workflow: scPDAC's `embed_and_predict` (mode frozen) and `extend_atlas` (mode extend), with the flags of
 * scArches surgery under scvi-tools' names. Defaults are those that work; `compat: scpdac` gives scPDAC's own.
 */
import { z } from 'zod'
import { BadInput } from '../errors.ts'
import { checkExpression, expressionFields } from './expression.ts'
import {
  clId,
  columnName,
  countsFields,
  geneFields,
  jobName,
  key,
  location,
  mapFields,
  overwriteField,
  qualityFields,
  seed,
} from './fields.ts'

const { umap, umap_min_dist, n_neighbors, show_columns } = mapFields

/** Keys of obs and obsm may hold what names of files may not. */
const storedKey = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^/\p{C}]+$/u, 'no "/" and no control characters')
  .refine((name) => name !== '.' && name !== '..' && name !== '_index', 'this name cannot be stored')

const rate = z.number().gt(0).max(10)

export const mapAtlasSettings = z.strictObject({
  workflow: z.literal('map-atlas').describe('which workflow this job is'),
  name: jobName,
  mode: z
    .enum(['frozen', 'extend'])
    .default('frozen')
    .describe(
      'frozen: embed and label the query with the model as it is; extend: adapt the model to the new batches of the query first (scArches surgery), then embed and label atlas and query together',
    ),
  query: location.describe(
    'the file to map: h5ad, 10x .h5, 10x MTX folder or AnnData zarr; a path relative to the job file, or s3://',
  ),
  atlas: location
    .optional()
    .describe(
      'the cells of the atlas, of the same kinds; extend needs them, frozen lays them out with the query',
    ),
  model: key
    .min(1)
    .max(200)
    .regex(/^[A-Za-z0-9_.@-]+$/, 'the name or id of a model')
    .optional()
    .describe(
      'name or id of a SCANVI model in the model store: one that fit-reference made, or that import-model took from scvi-tools; without it the default model of the stack',
    ),
  batch_key: columnName
    .default('Sample_ID')
    .describe('obs column with the batch of each cell, in the query and in the atlas'),
  label_column: columnName
    .optional()
    .describe(
      'obs column with labels that are known, to compare predictions with; without it the one that the model was trained with, where a file has it',
    ),
  compat: z
    .enum(['scpdac'])
    .optional()
    .describe(
      "scPDAC's defaults: a weight decay of 1e-6 in surgery, and a classifier whose normalisation follows the query; single settings still override",
    ),
  ...countsFields,
  ...geneFields,
  gene_matching: z
    .enum(['translated', 'exact'])
    .default('translated')
    .describe(
      'also match Ensembl ids to symbols, former symbols, aliases and orthologues, or only equal names, as scvi-tools does',
    ),
  min_gene_fraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe(
      "share of the model's genes below which the report warns; a gene that is missing counts as zero",
    ),
  min_genes: z
    .int()
    .min(1)
    .default(50)
    .describe("how many of the model's genes a file must have at least; fewer is an error"),
  ...qualityFields,
  max_epochs: z
    .int()
    .min(1)
    .max(10_000)
    .default(10)
    .describe('for extend: epochs of the training on the query'),
  batch_size: z.int().min(2).max(1_000_000).default(128).describe('for extend: cells of one training step'),
  lr: rate.default(1e-3).describe('for extend: learning rate of Adam'),
  weight_decay: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('for extend: pulls weights that learn towards zero; others never move'),
  train_size: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe('for extend: share of the cells to train on, the others validate; 0.9 unless told'),
  n_epochs_kl_warmup: z
    .int()
    .min(0)
    .max(100_000)
    .default(400)
    .describe(
      'for extend: epochs over which the divergence gets its whole weight; 0 gives it from the start',
    ),
  early_stopping: z
    .boolean()
    .default(false)
    .describe('for extend: end when the validation ELBO gets no better'),
  early_stopping_patience: z
    .int()
    .min(1)
    .max(10_000)
    .default(45)
    .describe('for extend: epochs without a better validation ELBO before that'),
  freeze_dropout: z.boolean().default(true).describe('for extend: drop nothing out while training'),
  freeze_expression: z
    .boolean()
    .default(true)
    .describe("for extend: keep what the encoder's first layer makes of genes"),
  freeze_decoder_first_layer: z
    .boolean()
    .default(true)
    .describe("for extend: keep the decoder's first layer, new batches apart"),
  freeze_batchnorm_encoder: z
    .boolean()
    .default(true)
    .describe('for extend: keep batch normalisation of the encoder, running statistics included'),
  freeze_batchnorm_decoder: z
    .boolean()
    .default(false)
    .describe('for extend: keep batch normalisation of the decoder, running statistics included'),
  freeze_classifier: z
    .boolean()
    .default(true)
    .describe('for extend: keep the classifier, running statistics included'),
  classifier_drift: z
    .boolean()
    .default(false)
    .describe(
      "for extend: let the classifier's running statistics follow the query although its weights are frozen, as scvi-tools does",
    ),
  unfrozen: z
    .boolean()
    .default(false)
    .describe('for extend: let all weights learn; the reference does not stay where it was'),
  model_name: key
    .min(1)
    .max(50)
    .optional()
    .describe('for extend: name of the adapted model in the model store; that of the job unless told'),
  label_key: storedKey
    .default('predicted_celltype')
    .describe('obs column of the predicted label, and the first part of those that belong to it'),
  obsm_key: storedKey.default('X_scANVI_emb').describe('obsm array of the place in latent space'),
  source_key: storedKey
    .default('source')
    .describe('for extend: obs column that says atlas or query of each cell'),
  write_probabilities: z
    .boolean()
    .default(false)
    .describe('also write the probability of every label, as obsm'),
  elbo: z
    .boolean()
    .default(true)
    .describe(
      'also tell how well the model explains the counts of each cell: its reconstruction error, and the ELBO of query and atlas',
    ),
  ...expressionFields,
  umap,
  umap_min_dist,
  n_neighbors,
  show_columns,
  overwrite: overwriteField,
  ontology: z
    .record(z.string().max(200), clId)
    .default({})
    .describe('Cell Ontology ids for labels of the model, before anything else is tried'),
  ontology_policy: z
    .enum(['exact-first', 'spatialcore'])
    .default('exact-first')
    .describe('how other labels are given their Cell Ontology id'),
  compute: z.enum(['auto', 'cpu', 'gpu']).default('auto').describe('where to train and to compute'),
  seed: seed.default(0).describe('seed of everything random'),
})

export type MapAtlasSettings = z.infer<typeof mapAtlasSettings>

/** What `compat` gives, for settings that the job does not name. */
export function mapAtlasDefaults(compat: unknown): Partial<MapAtlasSettings> {
  return compat === 'scpdac' ? { weight_decay: 1e-6, classifier_drift: true } : {}
}

/**
 * What no single setting shows.
 * @throws BadInput SETTING_INVALID
 */
export function checkMapAtlas(settings: MapAtlasSettings, place: string): void {
  const { mode, atlas, label_key, source_key, batch_key } = settings
  checkExpression(settings, place)
  if (mode === 'extend' && atlas === undefined)
    throw new BadInput(
      'SETTING_INVALID',
      `${place}: atlas`,
      'extend lays atlas and query out together, and the job names no atlas',
      'Name the file with the cells of the atlas, or take mode: frozen',
    )
  if (settings.classifier_drift && !settings.freeze_classifier)
    throw new BadInput(
      'SETTING_INVALID',
      `${place}: classifier_drift`,
      'it is about a classifier that is frozen, and freeze_classifier is false',
      'Leave one of them out',
    )
  const names = [label_key, source_key, batch_key]
  if (new Set(names).size < names.length)
    throw new BadInput(
      'SETTING_INVALID',
      `${place}: label_key`,
      `label_key, source_key and batch_key are three columns of obs: ${names.join(', ')}`,
      'Give each a name of its own',
    )
}
