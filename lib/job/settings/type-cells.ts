/**
 * Every setting of the `type-cells` workflow. The keys of SpatialCore's training_config.yaml work as they are, and each low-level option of
 * its functions has its setting here under its own name, with its default unless the text says otherwise. `compat: spatialcore` changes
 * those defaults that differ back (compat.ts).
 */
import { z } from 'zod'
import { BadInput } from '../errors.ts'
import { obsmSpatial } from '../stored-names.ts'
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

const label = z.string().min(1).max(200)
const share = z.number().min(0).max(1)

export const typeCellsSettings = z.strictObject({
  workflow: z.literal('type-cells').describe('which workflow this job is'),
  name: jobName,
  query: location.describe(
    'the file whose cells are to be typed: h5ad, 10x .h5, 10x MTX folder or AnnData zarr; a path relative to the job file, s3://, gs:// or https://',
  ),
  references: z
    .array(location)
    .min(1)
    .max(50)
    .describe('files of labelled cells to learn from, anywhere a query may be'),
  label_columns: z
    .array(columnName)
    .max(50)
    .default([])
    .describe('obs column with the labels, one for each reference in their order; has to be given'),
  tissue: z
    .string()
    .min(1)
    .max(100)
    .default('unknown')
    .describe('tissue of the query: names the model, and lets labels be read as that tissue means them'),
  compat: z
    .enum(['none', 'spatialcore'])
    .default('none')
    .describe(
      'spatialcore: every default as SpatialCore 0.3 has it (mini-batch SGD, z-score confidence, its matching of labels, its rounding)',
    ),

  // ----- genes and counts
  ...countsFields,
  ...geneFields,
  target_genes: z
    .array(z.string().min(1).max(100))
    .max(100_000)
    .default([])
    .describe('only these genes of the query; without it all, short of control probes'),
  gene_matching: z
    .enum(['translated', 'exact'])
    .default('translated')
    .describe(
      'match genes of the references by Ensembl id, former symbol, alias and orthologue too, or by equal names only',
    ),
  min_gene_fraction: share
    .default(0.25)
    .describe(
      "share of the query's genes below which the report warns that the references have too few of them",
    ),
  min_genes: z
    .int()
    .min(1)
    .default(20)
    .describe('how many genes the query and all references must share at least; fewer is an error'),
  min_counts: z
    .int()
    .min(0)
    .default(20)
    .describe(
      'cells with fewer counts are flagged in the report; panels count far less than whole transcriptomes',
    ),
  strict: qualityFields.strict,
  keep_counts: z
    .boolean()
    .default(true)
    .describe('write the raw counts to layers["counts"] where the query has them elsewhere'),

  // ----- references
  max_cells_per_ref: z
    .int()
    .min(1)
    .default(100_000)
    .describe('cells taken of one reference, drawn so that the shares of its labels stay'),
  exclude_labels: z
    .array(z.string().max(200))
    .max(1000)
    .optional()
    .describe(
      'labels whose cells are left out, exactly as written; without it "Unknown", "doublet" and the like; [] for none',
    ),
  validate_labels: z
    .boolean()
    .default(true)
    .describe('check the labels of every reference before its cells are used'),
  strict_validation: z.boolean().default(false).describe('what would be a warning about labels is an error'),
  filter_min_cells: z
    .boolean()
    .default(true)
    .describe('leave out labels with fewer than min_cells_per_label cells in all references together'),
  min_cells_per_label: z.int().min(0).default(10).describe('see filter_min_cells'),

  // ----- ontology
  add_ontology: z
    .boolean()
    .default(true)
    .describe('give labels their Cell Ontology ids, and learn one class for each id'),
  ontology: z
    .record(label, clId)
    .default({})
    .describe('Cell Ontology ids for labels of the references, before anything else is tried'),
  ontology_review: location
    .optional()
    .describe('the edited ontology_review.csv of an earlier run: its decisions come before anything else'),
  ontology_policy: z
    .enum(['exact-first', 'spatialcore'])
    .default('exact-first')
    .describe('how labels without an id of their own are given one'),
  granularity: z
    .enum(['as-labelled', 'spatial'])
    .default('as-labelled')
    .describe(
      'spatial: subtypes that panels cannot tell apart become their parent (an intestinal tuft cell is a tuft cell)',
    ),
  unmapped_labels: z
    .enum(['keep', 'drop'])
    .default('keep')
    .describe('labels without a Cell Ontology id stay classes of their own, or their cells are left out'),

  resolve_hierarchy: z
    .enum(['none', 'remove_parents'])
    .default('none')
    .describe(
      'remove_parents: labels that other labels are kinds of ("T cell" beside "CD4 T cell") are not learnt from; by the Cell Ontology, or by words with ontology_policy spatialcore',
    ),
  keep_terms: z
    .string()
    .min(1)
    .max(10_000)
    .optional()
    .describe(
      'learn only from labels whose Cell Ontology id this expression takes, as CL:0000084+ & ~CL:0000625: | or, & and, ~ not, brackets; an id with a plus takes all below it too',
    ),

  // ----- balance
  balance_strategy: z
    .enum(['proportional', 'equal'])
    .default('proportional')
    .describe('how the cells of one type are shared out among references'),
  group_by: z
    .enum(['ontology', 'label'])
    .default('ontology')
    .describe('labels with one Cell Ontology id are one class, or every label is its own'),
  max_cells_per_type: z.int().min(1).default(5000).describe('training cells of one type'),
  min_cells_per_type: z.int().min(0).default(50).describe('types with fewer cells are left out'),
  min_cells_per_source: z
    .int()
    .min(0)
    .default(50)
    .describe('cells of one type that each reference gives at least, where it has them'),
  target_proportions: z
    .union([z.record(label, share), location])
    .optional()
    .describe(
      'shares that types shall have of the training cells, by label, name or Cell Ontology id: a table, or a .json or .csv file',
    ),
  rounding: z
    .enum(['exact', 'compat'])
    .default('exact')
    .describe('exact: shares add up to what was asked for; compat: rounded up each, as SpatialCore does'),

  // ----- training
  classifier: z
    .enum(['logistic_regression', 'sgd', 'sgd_mini_batch'])
    .default('logistic_regression')
    .describe('solved to its optimum, or by stochastic gradient descent as CellTypist offers it'),
  multi_class: z
    .enum(['ovr', 'multinomial'])
    .default('ovr')
    .describe('of logistic_regression: each type against the rest, or all at once'),
  regularisation: z
    .number()
    .positive()
    .max(1e9)
    .default(0.01)
    .describe(
      "of logistic_regression: scikit-learn's C, weight of the cells against the penalty; 1 as CellTypist fits the references closer and other studies worse",
    ),
  alpha: z.number().positive().max(1e9).default(1e-4).describe('of sgd: weight of the penalty'),
  max_iter: z.int().min(1).max(100_000).default(100).describe('of sgd: passes over the cells at most'),
  epochs: z.int().min(1).max(10_000).default(10).describe('of sgd_mini_batch'),
  batch_size: z.int().min(1).default(1000).describe('of sgd_mini_batch'),
  batch_number: z.int().min(1).default(200).describe('of sgd_mini_batch: batches in one epoch'),
  balance_cell_type: z.boolean().default(true).describe('of sgd_mini_batch: draw rare types more often'),
  feature_selection: z.boolean().default(false).describe('first choose the genes that tell the types apart'),
  top_genes: z.int().min(1).max(100_000).default(300).describe('of feature_selection: genes for each type'),
  model_name: key
    .min(1)
    .max(64)
    .optional()
    .describe('name of the trained model in the model store; without it tissue and name of the job'),

  // ----- labels and confidence
  confidence_transform: z
    .enum(['calibrated', 'zscore', 'softmax', 'minmax', 'raw'])
    .default('calibrated')
    .describe(
      "what cell_type_confidence is: the probability that the label is right, or one of SpatialCore's transforms of the scores",
    ),
  calibration_folds: z
    .int()
    .min(2)
    .max(20)
    .default(5)
    .describe('parts of the training cells that are held out in turn to calibrate'),
  confidence_threshold: share.default(0.8).describe('below it a cell is "Unassigned"'),
  out_of_reference: z
    .boolean()
    .default(true)
    .describe('also leave cells unassigned that are unlike all training cells'),
  out_of_reference_threshold: share
    .optional()
    .describe('how unlike; without it what the model was found to need'),
  broaden_labels: z
    .boolean()
    .default(true)
    .describe(
      'of calibrated confidence: a cell too unsure of its type gets the narrowest broader type, of those learnt, that it is sure of',
    ),
  match_depth: z
    .boolean()
    .default(true)
    .describe(
      'thin the counts of references that are deeper than the query down to its depth before learning',
    ),
  filter_by_markers: z
    .boolean()
    .default(false)
    .describe('a type also needs the marker genes of its kind to be expressed, or the cell is unassigned'),
  min_cells_per_predicted_type: z
    .int()
    .min(0)
    .default(0)
    .describe('labels that fewer cells get become "Low_count"; 0 for none'),
  majority_voting: z
    .boolean()
    .default(false)
    .describe(
      'give the cells of a cluster the label that most of them have; not for spatial data, whose clusters are coarse',
    ),
  over_clustering: columnName
    .optional()
    .describe('obs column with the clusters for voting; without it "leiden" must be there'),
  min_proportion: share
    .default(0)
    .describe('for voting: below this share of a cluster its cells are "Heterogeneous"'),
  annotation_prefix: key.min(1).default('cell_type').describe('first part of every key written'),
  overwrite: overwriteField,
  store_decision_scores: z.boolean().default(true).describe('write the scores of every class, as obsm'),
  write_probabilities: z
    .boolean()
    .default(false)
    .describe('also write the probability of every class, as obsm'),

  write_training: z
    .boolean()
    .default(false)
    .describe('write the cells that were learnt from, of all references, as training.h5ad'),

  // ----- validation and plots
  generate_plots: z.boolean().default(true).describe('check the labels against markers and draw the plots'),
  n_deg_genes: z.int().min(1).max(100).default(10).describe('genes for each type in the heatmap'),
  markers: location
    .optional()
    .describe('JSON file with marker genes by cell type, beside those that come along'),
  min_cells_per_plot: z
    .int()
    .min(1)
    .default(15)
    .describe('types with fewer cells are not checked against markers'),
  spatial_key: z
    .string()
    .min(1)
    .max(200)
    .default(obsmSpatial)
    .describe('obsm with the coordinates of the cells'),
  ...mapFields,
  scoring_batch_size: batchField,
  compute: z
    .enum(['auto', 'cpu', 'gpu'])
    .default('auto')
    .describe('where to compute; a linear model gains nothing from a GPU'),
  seed: seed.default(42).describe('seed of everything random'),
})

export type TypeCellsSettings = z.infer<typeof typeCellsSettings>

/** What `compat: spatialcore` fills in where the job says nothing. */
const spatialCoreDefaults = {
  prefer: 'x',
  gene_matching: 'exact',
  ontology_policy: 'spatialcore',
  rounding: 'compat',
  classifier: 'sgd_mini_batch',
  confidence_transform: 'zscore',
  out_of_reference: false,
  broaden_labels: false,
  match_depth: false,
} as const satisfies Partial<TypeCellsSettings>

export function typeCellsDefaults(compat: unknown): Partial<TypeCellsSettings> {
  return compat === 'spatialcore' ? spatialCoreDefaults : {}
}

/**
 * What no single setting shows.
 * @throws BadInput LABELS_REQUIRED, PATHS_LABELS_LEN, BATCH_VOTING, ONTOLOGY_NEEDED
 */
export function checkTypeCells(settings: TypeCellsSettings, place: string): void {
  const { references, label_columns, add_ontology, keep_terms, resolve_hierarchy } = settings
  const at = `${place}: label_columns`
  const remedy = 'Name one obs column for each reference, in their order; `celldrop inspect FILE` lists them'
  if (label_columns.length === 0)
    throw new BadInput('LABELS_REQUIRED', at, 'no column with labels is named, and none is guessed', remedy)
  if (label_columns.length !== references.length) {
    const problem = `${references.length} references and ${label_columns.length} label columns`
    throw new BadInput('PATHS_LABELS_LEN', at, problem, remedy)
  }
  refuseBatchedVote(settings, place)
  if (add_ontology || (keep_terms === undefined && resolve_hierarchy === 'none')) return
  const needing = keep_terms === undefined ? 'resolve_hierarchy' : 'keep_terms'
  const problem = `${needing} goes by Cell Ontology ids, and add_ontology: false gives labels none`
  throw new BadInput('ONTOLOGY_NEEDED', `${place}: ${needing}`, problem, 'Leave out one of the two')
}

/** A vote over cells that were scored in parts is the same vote here; SpatialCore, whose vote would be of each part alone, refuses it. */
function refuseBatchedVote({ compat, majority_voting, ...settings }: TypeCellsSettings, place: string): void {
  if (compat !== 'spatialcore' || !majority_voting || settings.scoring_batch_size === undefined) return
  const problem = 'SpatialCore does not vote over cells that are scored in batches'
  const remedy = 'Leave out one of "scoring_batch_size", "majority_voting" and "compat"'
  throw new BadInput('BATCH_VOTING', `${place}: scoring_batch_size`, problem, remedy)
}
