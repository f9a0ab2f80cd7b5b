/**
 * Every setting of the `fit-reference` workflow: SCVI, SCANVI and their training under scvi-tools' names. Defaults are those that scArches
 * recommends for a reference that queries will be mapped to: an encoder that knows of batches, layer normalisation and no batch
 * normalisation. `compat` gives scvi-tools' class defaults, or what scPDAC trained its atlas with.
 */
import { z } from 'zod'
import { BadInput } from '../errors.ts'
import { checkExpression, expressionFields } from './expression.ts'
import {
  clId,
  columnName,
  countsFields,
  geneFields,
  location,
  mapFields,
  overwriteField,
  qualityFields,
  seed,
} from './fields.ts'

const where = z.enum(['encoder', 'decoder', 'both', 'none'])
const epochs = z.int().min(1).max(100_000)
const { umap, umap_min_dist, n_neighbors, show_columns } = mapFields

/** As names of models are written. */
const modelName = z
  .string()
  .regex(
    /^(?![0-9a-f]{64}$)[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/,
    'a name of a model has letters, digits, ".", "_" and "-", 64 at most',
  )

export const fitReferenceSettings = z.strictObject({
  workflow: z.literal('fit-reference').describe('which workflow this job is'),
  name: modelName.describe('name of the model in the model store, and of the job'),
  atlas: location.describe(
    'the cells to learn from: h5ad, 10x .h5, 10x MTX folder or AnnData zarr; a path relative to the job file, or s3://',
  ),
  batch_key: columnName.describe('obs column with the batch of each cell: the sample, donor or study'),
  label_column: columnName
    .optional()
    .describe(
      'obs column with cell types: then a SCANVI follows the scVI; without it there is no classifier',
    ),
  unlabeled_category: z
    .string()
    .min(1)
    .max(200)
    .default('Unknown')
    .describe('what cells without a label are called in label_column; cells with no value count as such'),
  keep_cells: z
    .boolean()
    .default(true)
    .describe(
      "keep the atlas's cells in the model: where they lie in the latent space, and their labels; other cells can be labelled by them then",
    ),
  transfer_columns: z
    .array(columnName)
    .max(20)
    .default([])
    .describe(
      'further obs columns with labels that are kept with these cells, such as coarser or finer types',
    ),
  compat: z
    .enum(['none', 'scvi-tools', 'scpdac'])
    .default('none')
    .describe(
      "scvi-tools: the defaults of its classes (their encoder knows no batches: surgery cannot move a query); scpdac: these with 50 bins, 100 and 10 epochs, as scPDAC's atlas was trained",
    ),

  // ----- counts and genes
  ...countsFields,
  ...geneFields,
  ...qualityFields,
  genes: z
    .enum(['variable', 'all'])
    .default('variable')
    .describe('learn from the most variable genes (seurat_v3, by batch), or from all that the file has'),
  n_top_genes: z.int().min(10).max(100_000).default(2000).describe('how many variable genes'),
  gene_panel: location
    .optional()
    .describe(
      'a text file with one gene a line to learn from in place of `genes`; those that the atlas lacks count as zero',
    ),
  gene_matching: z
    .enum(['translated', 'exact'])
    .default('translated')
    .describe(
      'of gene_panel: also match Ensembl ids to symbols, former symbols and aliases, or only equal names',
    ),
  min_gene_fraction: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe('share of gene_panel below which the report warns that the atlas has too few of its genes'),
  min_genes: z
    .int()
    .min(1)
    .default(50)
    .describe('how many genes of gene_panel the atlas must have at least; fewer is an error'),
  binning: z
    .int()
    .min(0)
    .max(1000)
    .default(0)
    .describe(
      "put each cell's counts into so many bins by their rank before the model sees them, as scPDAC does (50); 0 for counts as they are",
    ),
  categorical_covariate_keys: z
    .array(columnName)
    .max(20)
    .default([])
    .describe('further obs columns whose categories the model corrects for'),
  continuous_covariate_keys: z
    .array(columnName)
    .max(20)
    .default([])
    .describe('obs columns of numbers that the model corrects for'),

  // ----- network
  n_hidden: z.int().min(1).max(4096).default(128).describe('width of the hidden layers'),
  n_latent: z.int().min(1).max(500).default(10).describe('dimensions of the latent space'),
  latent_distribution: z
    .enum(['normal', 'ln'])
    .default('normal')
    .describe(
      'what places in the latent space are: normal, or logistic normal (ln), n_latent shares that add up to one',
    ),
  n_layers: z.int().min(1).max(10).default(2).describe('hidden layers of encoder and decoder'),
  dropout_rate: z
    .number()
    .min(0)
    .max(0.95)
    .default(0.1)
    .describe('share of hidden values dropped in training'),
  dispersion: z
    .enum(['gene', 'gene-batch', 'gene-label', 'gene-cell'])
    .default('gene')
    .describe(
      'what the dispersion of a gene is constant over; gene-label needs label_column, and a cell without a label has the mean over all labels',
    ),
  gene_likelihood: z
    .enum(['zinb', 'nb', 'poisson'])
    .default('zinb')
    .describe('how counts are distributed about their means'),
  use_observed_lib_size: z
    .boolean()
    .default(true)
    .describe(
      'how many counts a cell has in all is the sum of its counts; false for a model that learns it, about what is usual in the batch',
    ),
  encode_covariates: z
    .boolean()
    .default(true)
    .describe('the encoder sees batch and covariates; without it surgery cannot correct a query'),
  deeply_inject_covariates: z
    .boolean()
    .default(false)
    .describe('covariates enter every hidden layer and not only the first'),
  use_batch_norm: where.default('none').describe('where hidden layers are normalised over a minibatch'),
  use_layer_norm: where.default('both').describe('where hidden layers are normalised within a cell'),

  // ----- training
  max_epochs: epochs
    .optional()
    .describe('epochs of the scVI; without it 400 up to 20,000 cells and fewer beyond, as scvi-tools has it'),
  scanvi_epochs: epochs
    .optional()
    .describe('epochs of the SCANVI that starts from it; without it a third of those of scVI, 2 to 10'),
  batch_size: z.int().min(2).max(100_000).default(128).describe('cells of a minibatch'),
  train_size: z
    .number()
    .gt(0)
    .max(1)
    .optional()
    .describe(
      'share of the cells to train on, others validate; without it 0.9, and a last minibatch of one or two cells validates',
    ),
  lr: z.number().gt(0).max(10).default(1e-3).describe('learning rate of Adam'),
  eps: z.number().gt(0).max(1).default(0.01).describe("Adam's epsilon"),
  weight_decay: z.number().min(0).max(1).default(1e-6).describe("Adam's weight decay, added to gradients"),
  n_epochs_kl_warmup: z
    .int()
    .min(0)
    .max(100_000)
    .optional()
    .describe(
      'epochs over which the divergence comes to its full weight, 0 for at once; without it half of the epochs and at most 400, so that it always gets there (400 in scvi-tools, where large atlases never do)',
    ),
  max_kl_weight: z
    .number()
    .min(0)
    .max(1000)
    .default(1)
    .describe('weight of the divergence after the warm-up'),
  min_kl_weight: z.number().min(0).max(1000).default(0).describe('its weight at the start of the warm-up'),
  max_norm: z
    .number()
    .gt(0)
    .max(1e6)
    .optional()
    .describe('gradients longer than this are cut to it; without it none are'),
  early_stopping: z.boolean().default(false).describe('end when the validation ELBO gets no better'),
  early_stopping_patience: epochs.default(45).describe('epochs without a better one after which it ends'),
  early_stopping_min_delta: z.number().min(0).max(1e6).default(0).describe('what counts as better'),
  reduce_lr_on_plateau: z
    .boolean()
    .default(false)
    .describe('lower the learning rate when the validation ELBO gets no better'),
  lr_factor: z.number().gt(0).lt(1).default(0.6).describe('by this factor'),
  lr_patience: epochs.default(30).describe('after so many epochs'),
  lr_threshold: z.number().min(0).max(1e6).default(0).describe('what counts as better for it'),
  lr_min: z.number().min(0).max(1).default(0).describe('the lowest rate'),
  classification_ratio: z
    .number()
    .min(0)
    .max(1e6)
    .default(50)
    .describe("weight of the classifier's loss in SCANVI"),
  n_samples_per_label: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      'cells of each label that teach the classifier in an epoch, drawn anew; all without it (scvi-tools recommends 100 where labels differ much in size)',
    ),
  linear_classifier: z
    .boolean()
    .default(false)
    .describe('the classifier is one layer from latent space to labels'),

  // ----- labels, map and results
  ontology: z
    .record(z.string().min(1).max(200), clId)
    .default({})
    .describe('Cell Ontology ids for labels, before anything else is tried'),
  ontology_policy: z
    .enum(['exact-first', 'spatialcore'])
    .default('exact-first')
    .describe('how other labels are given their Cell Ontology id'),
  ...{ umap, umap_min_dist, n_neighbors, show_columns },
  write_probabilities: z
    .boolean()
    .default(false)
    .describe('also write the probability of every label, as obsm'),
  ...expressionFields,
  overwrite: overwriteField.describe(
    'replace a model of this name, annotations of the same name that the atlas already has, and a result of the same name',
  ),
  compute: z.enum(['auto', 'cpu', 'gpu']).default('auto').describe('where to train'),
  seed: seed.default(0).describe('seed of everything random'),
})

export type FitReferenceSettings = z.infer<typeof fitReferenceSettings>

/** SCVI and SCANVI as their constructors have them. */
const scviTools = {
  n_layers: 1,
  encode_covariates: false,
  deeply_inject_covariates: true,
  use_batch_norm: 'both',
  use_layer_norm: 'none',
  n_epochs_kl_warmup: 400,
} as const

/** What of the defaults a `compat` changes. */
export function fitReferenceDefaults(compat: unknown): Partial<FitReferenceSettings> {
  if (compat === 'scvi-tools') return scviTools
  if (compat !== 'scpdac') return {}
  return { ...scviTools, batch_key: 'Sample_ID', binning: 50, max_epochs: 100, scanvi_epochs: 10 }
}

/**
 * What no single setting shows.
 * @throws BadInput SETTING_INVALID
 */
export function checkFitReference(settings: FitReferenceSettings, place: string): void {
  const { batch_key, label_column, categorical_covariate_keys, continuous_covariate_keys } = settings
  const used = [
    batch_key,
    ...categorical_covariate_keys,
    ...continuous_covariate_keys,
    ...(label_column === undefined ? [] : [label_column]),
  ]
  const twice = used.find((column, at) => used.indexOf(column) !== at)
  const invalid = (setting: string, problem: string, remedy: string) =>
    new BadInput('SETTING_INVALID', `${place}: ${setting}`, problem, remedy)
  if (twice !== undefined)
    throw invalid('batch_key', `the column "${twice}" is named twice`, 'Give each column one purpose')
  checkTransfer(settings, invalid)
  checkExpression(settings, place)
  if (settings.dispersion === 'gene-label' && label_column === undefined)
    throw invalid(
      'dispersion',
      'gene-label needs the label of each cell',
      'Name a label_column, or take another dispersion',
    )
  if (settings.binning === 1) throw invalid('binning', 'one bin tells nothing', 'Take 2 bins or more, or 0')
  if (settings.min_kl_weight > settings.max_kl_weight)
    throw invalid('min_kl_weight', 'it is above max_kl_weight', 'Give the smaller one as min_kl_weight')
}

function checkTransfer(
  { label_column, transfer_columns, keep_cells }: FitReferenceSettings,
  invalid: (setting: string, problem: string, remedy: string) => BadInput,
): void {
  const kept = [...(label_column === undefined ? [] : [label_column]), ...transfer_columns]
  const twice = kept.find((column, at) => kept.indexOf(column) !== at)
  if (twice !== undefined)
    throw invalid(
      'transfer_columns',
      `the column "${twice}" is named twice`,
      'Name each once; label_column is kept without being named again',
    )
  if (!keep_cells && transfer_columns.length > 0)
    throw invalid(
      'transfer_columns',
      'no cells are kept that could have these labels',
      'Leave out keep_cells: false',
    )
}
