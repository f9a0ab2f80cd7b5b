/** Contract: the smallest jobs of `map-atlas`, its defaults, and scPDAC's. */
import { expect, it } from 'vitest'
import { checkSettings } from '../../lib/job/manifest.ts'

const job = (given: Record<string, unknown>) =>
  checkSettings({ workflow: 'map-atlas', query: 'q.h5ad', ...given }, 'job.yaml')

it('needs a query alone to place cells with a model as it is', () => {
  expect(job({})).toMatchObject({
    mode: 'frozen',
    batch_key: 'Sample_ID',
    label_key: 'predicted_celltype',
    obsm_key: 'X_scANVI_emb',
    source_key: 'source',
  })
})

it('extends for ten epochs without weight decay and without drift, everything frozen but what is new', () => {
  expect(job({ mode: 'extend', atlas: 'a.h5ad', model: 'reference' })).toMatchObject({
    max_epochs: 10,
    weight_decay: 0,
    classifier_drift: false,
    freeze_dropout: true,
    freeze_expression: true,
    freeze_decoder_first_layer: true,
    freeze_batchnorm_encoder: true,
    freeze_batchnorm_decoder: false,
    freeze_classifier: true,
    unfrozen: false,
  })
})

it('takes up what scPDAC does where it is asked to, unless the job says otherwise', () => {
  expect(job({ compat: 'scpdac' })).toMatchObject({ weight_decay: 1e-6, classifier_drift: true })
  expect(job({ compat: 'scpdac', weight_decay: 0 })).toMatchObject({
    weight_decay: 0,
    classifier_drift: true,
  })
})
