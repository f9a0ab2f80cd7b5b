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
  /** obs, with `min_confidence`: the label of every cell, before the unsure ones were left unassigned */
  predictedRaw: string
  /** obs: 0 sure, 1 unsure */
  uncertainty: string
  /** obs: Cell Ontology id of the label, "unknown" where it has none */
  ontologyId: string
  /** obs, of a network: the label by a further column of its reference, and how unsure it is */
  ofColumn(column: string): { predicted: string; uncertainty: string }
  /** obs, of several models: which one the cell's own label is of */
  model: string
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
    predictedRaw: `${prefix}_predicted_raw`,
    uncertainty: `${prefix}_predicted_uncertainty`,
    ontologyId: `${prefix}_predicted_ontology_term_id`,
    ofColumn: (column) => {
      // HDF5 takes "/" for a path
      const predicted = `${prefix}_predicted_${column.replaceAll('/', '|')}`
      return { predicted, uncertainty: `${predicted}_uncertainty` }
    },
    model: `${prefix}_model`,
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

/** Columns and arrays of the `type-cells` workflow, as SpatialCore names them with the prefix `cell_type`; the last lines of obs are ours. */
export function cellTypingNames(prefix: string) {
  return {
    obs: {
      /** the class of highest score */
      predicted: `${prefix}_predicted`,
      /** float64: the highest probability of one class, as the model gives it */
      confidenceRaw: `${prefix}_confidence_raw`,
      confidence: `${prefix}_confidence`,
      /** id of the model */
      model: `${prefix}_model`,
      /** the final label: predicted, or "Unassigned" */
      label: prefix,
      ontologyId: `${prefix}_ontology_term_id`,
      ontologyLabel: `${prefix}_ontology_label`,
      ontologyTier: `${prefix}_ontology_tier`,
      ontologyScore: `${prefix}_ontology_score`,
      /** 0 like the training cells, 1 unlike all of them */
      outOfReference: `${prefix}_out_of_reference`,
      /** why a cell has the label that it has */
      reason: `${prefix}_reason`,
      /** what the marker genes of the predicted class say */
      markerCheck: `${prefix}_marker_check`,
      /** with voting: the class of the cell alone, and the share of its cluster that has the label */
      predictedByCell: `${prefix}_predicted_by_cell`,
      majorityShare: `${prefix}_majority_share`,
    },
    obsm: {
      decisionScores: `${prefix}_decision_scores`,
      probabilities: `${prefix}_probabilities`,
      /** under both names, since CELLxGENE lists only keys that start with `X_` */
      umap: [`${prefix}_umap`, `X_${prefix}_umap`] as const,
    },
    neighbours: {
      uns: `${prefix}_neighbors`,
      distances: `${prefix}_neighbors_distances`,
      connectivities: `${prefix}_neighbors_connectivities`,
    },
    uns: {
      /** columns of the matrix of scores */
      classes: `${prefix}_cell_types`,
      provenance: 'spatialcore_annotation',
      validation: 'validation_results',
      colours: `${prefix}_colors`,
    },
  }
}

/** The cells that `type-cells` learnt from, as a file: columns as SpatialCore's combine_references names them, then those of the CELLxGENE schema. */
export const trainingNames = {
  obs: {
    /** as the reference has it */
    label: 'original_label',
    /** which reference */
    source: 'reference_source',
    /** of the class; "unknown" where it has none */
    ontologyId: 'cell_type_ontology_term_id',
    /** the class that was learnt */
    cellType: 'cell_type',
  },
  uns: { validation: 'validation_results', provenance: 'training' },
} as const

/** What `map-atlas` writes: scPDAC's names unless the job has others; what hangs on them is ours. */
export function atlasNames({ label, latent, source }: { label: string; latent: string; source: string }) {
  return {
    obs: {
      /** the class of highest probability */
      predicted: label,
      /** float32: the highest probability as the model gives it; it is not calibrated */
      probability: `${label}_probability`,
      /** float32: of all probabilities, 0 to 1 (all alike) */
      entropy: `${label}_entropy`,
      /** "unknown" where the label has none */
      ontologyId: `${label}_ontology_term_id`,
      /** float32: nats a detected gene that the model is wrong by; of cells that are unlike what it knows it is high */
      reconstructionError: `${label}_reconstruction_error`,
      /** too few counts for the label to be relied on, or none on the genes of the model: then there is no label */
      hasFewCounts: `${label}_low_counts`,
      /** atlas or query */
      source,
    },
    obsm: {
      latent,
      umap: `${latent}_umap`,
      /** the same in the joint file, which has no map of its own yet */
      jointUmap: 'X_umap',
      probabilities: `${label}_probabilities`,
    },
    uns: { provenance: `${label}_mapping`, classes: `${label}_classes` },
  } as const
}

export type AtlasNames = ReturnType<typeof atlasNames>

/** Columns and arrays of an atlas that a model was made of, by the model's kind; the arrays have scvi-tools' usual names. */
export function referenceNames(kind: 'scvi' | 'scanvi') {
  const array = kind === 'scvi' ? 'X_scVI' : 'X_scANVI'
  return {
    obs: {
      /** what each cell was to the training: learnt from, held out, or why it was left out */
      use: `${kind}_use`,
      hasFewCounts: `${kind}_low_counts`,
      /** of SCANVI: the label of highest probability, that probability, and how evenly all are shared out, 0 to 1 */
      predicted: `${kind}_predicted`,
      confidence: `${kind}_confidence`,
      entropy: `${kind}_entropy`,
      ontologyId: `${kind}_predicted_ontology_term_id`,
    },
    obsm: { latent: array, umap: `${array}_umap`, probabilities: `${array}_probabilities` },
    uns: `${kind}_reference`,
  }
}

/** The file of normalised expression: what the result calls it, and where it says what it is of. */
export const expressionNames = {
  output: 'normalizedExpression',
  file: 'normalized_expression.h5ad',
  uns: 'normalized_expression',
} as const
