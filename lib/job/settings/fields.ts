/** Settings that mean the same in every workflow that has them: described and given their defaults here, once. */
import { z } from 'zod'

export const key = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9_.-]*$/, 'only letters, digits, "_", "-" and "."')
export const location = z.string().min(1).max(1024)
export const columnName = z.string().min(1).max(200)
export const clId = z.string().regex(/^CL:\d{7}$/, 'a Cell Ontology id is written CL:0000000')

export const jobName = key
  .min(1)
  .optional()
  .describe("name of the job, for its results' folder; else that of the job file or query")

/** Where the counts of a file are and how its genes are called. */
export const countsFields = {
  counts_layer: columnName
    .optional()
    .describe('layer that holds the raw counts; without it they are looked for in layers, raw and X'),
  prefer: z
    .enum(['raw', 'x'])
    .default('raw')
    .describe('where raw counts and a log1p_10k X are both there: start from the counts, or take X as it is'),
  unsafe_force: z
    .boolean()
    .default(false)
    .describe('normalise X although no counts were found in the file; the report warns'),
} as const

export const geneFields = {
  gene_column: columnName
    .optional()
    .describe('column of var with the gene names; without it the column or index that fits best'),
  organism: z
    .enum(['Homo sapiens', 'Mus musculus'])
    .optional()
    .describe('organism of the query; without it told from the gene names'),
} as const

export const qualityFields = {
  min_counts: z.int().min(0).default(200).describe('cells with fewer counts are flagged in the report'),
  strict: z
    .boolean()
    .default(false)
    .describe('cells below min_counts are an error instead, as in CELLxGENE Annotate'),
} as const

/** The map of the cells, and what the page shows on it. */
export const mapFields = {
  write_neighbours: z.boolean().default(false).describe('also write the graph of neighbours, as obsp'),
  umap: z.boolean().default(true).describe('lay the cells out in two dimensions'),
  umap_space: z
    .enum(['pca', 'latent'])
    .default('pca')
    .describe('lay out by principal components of the query, or by its place in the space of the reference'),
  umap_min_dist: z.number().min(0).max(10).default(0.5).describe('how close points may lie in the layout'),
  n_neighbors: z
    .int()
    .min(2)
    .max(200)
    .default(15)
    .describe('neighbours a cell has in the layout, itself included'),
  n_components: z.int().min(2).max(200).default(50).describe('principal components'),
  show_genes: z
    .array(z.string().min(1).max(100))
    .max(50)
    .default([])
    .describe('genes whose expression the report can colour the cells by'),
  show_columns: z
    .array(columnName)
    .max(50)
    .optional()
    .describe(
      'obs columns that the report can colour by; without it all that are categorical or numbers, up to 20',
    ),
} as const

export const overwriteField = z
  .boolean()
  .default(false)
  .describe('replace annotations of the same name that the query already has, and a result of the same name')

export const batchField = z
  .int()
  .min(1)
  .max(10_000_000)
  .optional()
  .describe('cells scored at once: less takes less memory, and changes nothing else')

export const seed = z.int().min(0).max(4294967295)
