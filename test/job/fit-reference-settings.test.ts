import { describe, expect, it } from 'vitest'
import { checkSettings } from '../../lib/job/manifest.ts'
import type { FitReferenceSettings } from '../../lib/job/settings/fit-reference.ts'
import { recordOf, scheduleFor } from '../../lib/workflows/fit-reference/network-plan.ts'

const least = { workflow: 'fit-reference', atlas: 'a.h5ad', name: 'mine', batch_key: 'sample' }
const settings = (more: object = {}) => checkSettings({ ...least, ...more }, 'job') as FitReferenceSettings

describe('settings of fit-reference', () => {
  it('are those that scArches recommends for a reference, unless told', () => {
    expect(settings()).toMatchObject({
      ...{ n_layers: 2, n_hidden: 128, n_latent: 10, dropout_rate: 0.1, gene_likelihood: 'zinb' },
      ...{ encode_covariates: true, deeply_inject_covariates: false },
      ...{ use_layer_norm: 'both', use_batch_norm: 'none', binning: 0, n_top_genes: 2000 },
      ...{ use_observed_lib_size: true, dispersion: 'gene' },
      ...{ lr: 1e-3, eps: 0.01, weight_decay: 1e-6, batch_size: 128, classification_ratio: 50 },
    })
  })

  it('are the class defaults of scvi-tools, or what scPDAC trained with, by compat; what is given stays', () => {
    const theirs = {
      ...{ n_layers: 1, encode_covariates: false, deeply_inject_covariates: true },
      ...{ use_batch_norm: 'both', use_layer_norm: 'none', n_epochs_kl_warmup: 400 },
    }
    expect(settings({ compat: 'scvi-tools' })).toMatchObject({ ...theirs, binning: 0 })
    expect(settings({ compat: 'scvi-tools', n_layers: 3 })).toMatchObject({ ...theirs, n_layers: 3 })
    const { batch_key: _, ...without } = least
    const scpdac = checkSettings({ ...without, compat: 'scpdac' }, 'job')
    expect(scpdac).toMatchObject({
      ...{ ...theirs, batch_key: 'Sample_ID', binning: 50, max_epochs: 100, scanvi_epochs: 10 },
    })
  })

  it.each([
    [{ label_column: 'sample' }],
    [{ categorical_covariate_keys: ['a', 'a'] }],
    [{ binning: 1 }],
    [{ min_kl_weight: 2 }],
    [{ name: '../up' }],
    [{ batch_size: 1 }],
    [{ train_size: 0 }],
    [{ dropout_rate: 1 }],
    [{ dispersion: 'gene-label' }],
    [{ dispersion: 'gene-cell-type', label_column: 'type' }],
  ])('%j is refused', (more) => {
    expect(() => settings(more)).toThrow(expect.objectContaining({ code: 'SETTING_INVALID' }))
  })

  it('warm up over half of the epochs and at most 400, so that the divergence always gets its weight', () => {
    expect(scheduleFor(settings(), 80).warmUp).toMatchObject({ over: 40, least: 0, most: 1 })
    expect(scheduleFor(settings(), 2000).warmUp).toMatchObject({ over: 400 })
    expect(scheduleFor(settings(), 1).warmUp).toMatchObject({ over: 0 })
    expect(scheduleFor(settings({ n_epochs_kl_warmup: 400 }), 80).warmUp).toMatchObject({ over: 400 })
  })

  it('look at validation cells in every epoch where the training goes by them, and a hundred times else', () => {
    expect(scheduleFor(settings({ early_stopping: true }), 1000).validateEvery).toBe(1)
    expect(scheduleFor(settings(), 1000).validateEvery).toBe(10)
    expect(scheduleFor(settings(), 60).validateEvery).toBe(1)
  })

  it('are recorded with a model, short of places and of what may be overwritten', () => {
    const record = recordOf(settings({ overwrite: true, categorical_covariate_keys: ['donor'] }))
    expect(record).toMatchObject({ batch_key: 'sample', categorical_covariate_keys: '["donor"]' })
    expect(Object.keys(record)).not.toContain('atlas')
    expect(record).toEqual(
      recordOf(settings({ atlas: 'elsewhere/a.h5ad', categorical_covariate_keys: ['donor'] })),
    )
  })
})
