/**
 * Every setting of the `annotate` workflow: the options of CELLxGENE's `cellxgene annotate` and CellTypist's `annotate` that still mean
 * something here, under their names in snake_case, and ours. This is the only place where a setting or its default is written: the
 * command line's flags, docs/SETTINGS.md and the JSON Schema are made from it.
 */
import { z } from 'zod'
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

export const annotateSettings = z.strictObject({
  workflow: z.literal('annotate').describe('which workflow this job is'),
  name: jobName,
  query: location.describe(
    'the file to annotate: h5ad, 10x .h5, 10x MTX folder or AnnData zarr; a path relative to the job file, or s3://',
  ),
  model: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('name or id of a model in the model store; without it the default model of the stack'),
  classifier: z.string().max(100).default('default').describe('which classifier of the model to use'),
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
    .describe("how many of the model's genes the query must have at least; fewer is an error"),
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
  ontology: z
    .record(z.string().max(200), clId)
    .default({})
    .describe('Cell Ontology ids for labels of the model, before anything else is tried'),
  ontology_policy: z
    .enum(['exact-first', 'spatialcore'])
    .default('exact-first')
    .describe('how other labels are given their Cell Ontology id'),
  compute: z
    .enum(['auto', 'cpu', 'gpu'])
    .default('auto')
    .describe('where to compute; a linear model gains nothing from a GPU'),
  seed: seed.default(0).describe('seed of everything random'),
})

export type AnnotateSettings = z.infer<typeof annotateSettings>
