/** Names under which an acquired reference keeps what is ours, written once. The columns are those of the CELLxGENE schema and its Census. */
export const referenceNames = {
  obs: { dataset: 'dataset_id' },
  var: { name: 'feature_name' },
  varm: {
    /** genes x files: 1 where the file measured the gene; columns as in `uns.reference.dataset_ids` */
    presence: 'dataset_presence',
  },
  uns: { provenance: 'reference' },
} as const
