/**
 * Every name under which Celldrop stores something in a user's h5ad, written once. Upstream spelling: CELLxGENE Annotate's
 * `cxg_*`, SpatialCore's `cell_type_*`, the CELLxGENE schema's `*_ontology_term_id`.
 */

/** Places that AnnData itself defines. */
export const layerCounts = 'counts'
export const obsmSpatial = 'spatial'

/** Keys of the `annotate` workflow hang on one prefix, e.g. `cxg_cell_type` or `cxg_cell_type_r1`. */
export function annotationPrefix({
  prefix = 'cxg',
  type = 'cell_type',
  run = '',
}: {
  prefix?: string
  type?: string
  run?: string
}): string {
  return [prefix, type, run].filter((part) => part !== '').join('_')
}

export interface AnnotationNames {
  /** obs: the label of highest probability */
  predicted: string
  /** obs: 0 sure, 1 unsure */
  uncertainty: string
  /** obs: Cell Ontology id of the label, "unknown" where it has none */
  ontologyId: string
  /** obs, with voting: the label of the cell alone, before its cluster was asked */
  predictedByCell: string
  /** obs, with voting: the small cluster that voted */
  overClustering: string
  /** obs, with voting: share of the cluster that has the label */
  majorityShare: string
  /** obs: too few counts for the label to be relied on */
  hasFewCounts: string
  /** obs, on request */
  predictedSecond: string
  /** obs, on request */
  predictedMargin: string
  /** obsm: cells in the reference's latent space */
  latent: string
  /** obsm: two dimensions; under both names, since CELLxGENE lists only keys that start with `X_` */
  umap: readonly [string, string]
  /** obsm, on request: one column a class */
  probabilities: string
  /** obsp and uns, on request: the graph of neighbours, as scanpy keeps it */
  neighbours: { uns: string; distances: string; connectivities: string }
  /** uns: how the labels came about */
  predictions: string
}

export function annotationNames(prefix: string): AnnotationNames {
  return {
    predicted: `${prefix}_predicted`,
    uncertainty: `${prefix}_predicted_uncertainty`,
    ontologyId: `${prefix}_predicted_ontology_term_id`,
    predictedByCell: `${prefix}_predicted_by_cell`,
    overClustering: `${prefix}_over_clustering`,
    majorityShare: `${prefix}_majority_share`,
    hasFewCounts: `${prefix}_low_counts`,
    predictedSecond: `${prefix}_predicted_second`,
    predictedMargin: `${prefix}_predicted_margin`,
    latent: prefix,
    umap: [`${prefix}_umap`, `X_${prefix}_umap`],
    probabilities: `${prefix}_probabilities`,
    neighbours: {
      uns: `${prefix}_neighbors`,
      distances: `${prefix}_neighbors_distances`,
      connectivities: `${prefix}_neighbors_connectivities`,
    },
    predictions: `${prefix}_predictions`,
  }
}

/** Columns and arrays of the `type-cells` workflow, as SpatialCore names them. */
export const cellTyping = {
  obs: {
    predicted: 'cell_type_predicted',
    confidenceRaw: 'cell_type_confidence_raw',
    confidence: 'cell_type_confidence',
    model: 'cell_type_model',
    label: 'cell_type',
    ontologyId: 'cell_type_ontology_term_id',
    ontologyLabel: 'cell_type_ontology_label',
    ontologyTier: 'cell_type_ontology_tier',
    ontologyScore: 'cell_type_ontology_score',
  },
  /** of references, before their cells are joined */
  reference: { originalLabel: 'original_label', source: 'reference_source', batch: 'batch' },
  obsm: { decisionScores: 'cell_type_decision_scores' },
  uns: {
    classes: 'cell_type_cell_types',
    provenance: 'spatialcore_annotation',
    validation: 'validation_results',
  },
} as const
