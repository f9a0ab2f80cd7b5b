/**
 * Every setting of the `annotate` workflow: the options of CELLxGENE's `cellxgene annotate` and CellTypist's `annotate` that still mean
 * something here, under their names in snake_case, and ours. This is the only place where a setting or its default is written: the
 * command line's flags, docs/SETTINGS.md and the JSON Schema are made from it.
 */
import { z } from 'zod'
import { BadInput } from '../errors.ts'
import { networkFields } from './annotate-network.ts'
import {
  batchField,
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

/** Models of one job: each is loaded for every shard, and asked about every cell. */
const mostModels = 16
const modelReference = z.string().min(1).max(200)

/** Of several models, the share of its genes that one needs unless the job says otherwise. */
export const usualOverlapPercent = 25

export const annotateSettings = z.strictObject({
  workflow: z.literal('annotate').describe('which workflow this job is'),
  name: jobName,
  query: location.describe(
    'the file to annotate: h5ad, 10x .h5, 10x MTX folder or AnnData zarr; a path relative to the job file, or s3://',
  ),
  model: z
    .union(
      [
        modelReference,
        z
          .array(modelReference)
          .min(1)
          .max(mostModels)
          .refine((names) => new Set(names).size === names.length, 'a model is named twice'),
      ],
      { error: `give one model, or a list of 1 to ${mostModels} different ones` },
    )
    .optional()
    .describe(
      'name or id of a model in the model store, or of several: of these a cell gets the label of the one that is surest of it; without it the default model of the stack',
    ),
  tissue: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .describe("in place of model: CellTypist's models for this tissue, as far as they were imported"),
  ensemble_mode: z.boolean().default(true).describe('of tissue: all of its models, or Immune_All_Low alone'),
  min_gene_overlap_pct: z
    .number()
    .min(0)
    .max(100)
    .optional()
    .describe(
      `percentage of a model's genes that the query must have: of several models one with fewer is left out (${usualOverlapPercent} unless told), a model that is alone is refused`,
    ),
  ...networkFields,
  ...countsFields,
  ...geneFields,
  gene_matching: z
    .enum(['translated', 'exact'])
    .default('translated')
    .describe(
      'also match Ensembl ids to symbols, former symbols, aliases and orthologues, or only equal names, as CellTypist does',
    ),
  min_gene_fraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe("share of the model's genes below which the report warns"),
  min_genes: z
    .int()
    .min(1)
    .default(50)
    .describe(
      "how many of the model's genes the query must have at least; fewer is an error, or of several models leaves this one out",
    ),
  scaled_over: z
    .enum(['measured', 'models'])
    .default('measured')
    .describe(
      "what cells are scaled to 10,000 over: all genes that were measured, as CellTypist's models were trained, or only those that the models know, as SpatialCore's annotate_celltypist does",
    ),
  ...qualityFields,
  mode: z
    .enum(['best_match', 'prob_match'])
    .default('best_match')
    .describe('one label a cell, or every label above p_threshold, joined by "|"'),
  p_threshold: z
    .number()
    .min(0)
    .max(1)
    .default(0.5)
    .describe('for prob_match: a label needs a higher probability'),
  majority_voting: z
    .boolean()
    .default(false)
    .describe('give the cells of a small cluster the label that most of them have'),
  over_clustering: columnName
    .optional()
    .describe('obs column with the clusters for voting; without it they are made by Leiden'),
  over_clustering_resolution: z
    .number()
    .positive()
    .max(1000)
    .optional()
    .describe('Leiden resolution of these clusters; without it by the number of cells, as CellTypist does'),
  min_proportion: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe('for voting: below this share of a cluster its cells are "Heterogeneous"'),
  min_confidence: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe(
      'below this probability of the label that it would get, a cell is "Unassigned" (0.5 in SpatialCore\'s annotate_celltypist); 0 leaves every cell its label',
    ),
  uncertainty: z
    .enum(['probability', 'normalised'])
    .default('probability')
    .describe(
      "1 - the highest probability: as the model gives it, or of the model's probabilities scaled to sum 1",
    ),
  annotation_prefix: key.default('cxg').describe('first part of every key written'),
  annotation_type: z.literal('cell_type').default('cell_type').describe('second part of every key written'),
  run_name: key
    .default('')
    .describe('last part of every key written, so that several runs can live in one file'),
  overwrite: overwriteField,
  write_second: z.boolean().default(false).describe('also write the second best label and the margin to it'),
  write_probabilities: z
    .boolean()
    .default(false)
    .describe('also write the probability of every label, as obsm'),
  ...mapFields,
  umap_space: z
    .enum(['pca', 'latent'])
    .optional()
    .describe(
      'lay out by principal components of the query, or by its place in the space of the reference; without it pca for linear models, latent for a network',
    ),
  ontology: z
    .record(z.string().max(200), clId)
    .default({})
    .describe('Cell Ontology ids for labels of the model, before anything else is tried'),
  ontology_policy: z
    .enum(['exact-first', 'spatialcore'])
    .default('exact-first')
    .describe('how other labels are given their Cell Ontology id'),
  batch_size: batchField,
  compute: z
    .enum(['auto', 'cpu', 'gpu'])
    .default('auto')
    .describe('where to train and to compute; a linear model gains nothing from a GPU'),
  seed: seed.default(0).describe('seed of everything random'),
})

export type AnnotateSettings = z.infer<typeof annotateSettings>

/** Whether a job asks for several models, however many of them there turn out to be. */
export function wantsSeveralModels({ model, tissue, ensemble_mode }: AnnotateSettings): boolean {
  return Array.isArray(model) ? model.length > 1 : tissue !== undefined && ensemble_mode
}

/**
 * What no single setting shows.
 * @throws BadInput SETTING_INVALID, MODELS_NO_LATENT
 */
export function checkAnnotate(settings: AnnotateSettings, place: string): void {
  const { model, tissue, ensemble_mode, umap_space } = settings
  if (model !== undefined && tissue !== undefined)
    throw new BadInput(
      'SETTING_INVALID',
      `${place}: tissue`,
      'a tissue stands for models, and the job names models too',
      'Leave out one of "model" and "tissue"',
    )
  if (!ensemble_mode && tissue === undefined)
    throw new BadInput(
      'SETTING_INVALID',
      `${place}: ensemble_mode`,
      'it chooses among the models of a tissue, and the job names no tissue',
      'Name a tissue, or leave it out',
    )
  if (umap_space !== 'latent' || !wantsSeveralModels(settings)) return
  const problem = 'the scores of several models are no common space that a map could be made of'
  throw new BadInput('MODELS_NO_LATENT', `${place}: umap_space`, problem, 'Name one model, or take "pca"')
}
