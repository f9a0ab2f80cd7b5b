/** Contract: models of an annotate job are one or several different ones, or those of a tissue, and what several cannot give is refused. */
import { describe, expect, it } from 'vitest'
import { checkSettings } from '../../lib/job/manifest.ts'
import { wantsSeveralModels } from '../../lib/job/settings/annotate.ts'

const checked = (given: object) =>
  checkSettings({ workflow: 'annotate', query: 'q.h5ad', ...given }, 'job.yaml')

describe('models of an annotate job', () => {
  it.each([
    [{ model: 'a' }, false],
    [{ model: ['a'] }, false],
    [{ model: ['a', 'b'] }, true],
    [{ tissue: 'lung' }, true],
    [{ tissue: 'lung', ensemble_mode: false }, false],
    [{}, false],
  ])('%j are several: %s', (given, isSeveral) => {
    const settings = checked(given)
    expect(settings.workflow === 'annotate' && wantsSeveralModels(settings)).toBe(isSeveral)
  })

  it.each([
    ['no model in the list', { model: [] }, 'SETTING_INVALID', 'model'],
    ['a model twice', { model: ['a', 'b', 'a'] }, 'SETTING_INVALID', 'model'],
    [
      'seventeen models',
      { model: Array.from({ length: 17 }, (_, i) => `m${i}`) },
      'SETTING_INVALID',
      'model',
    ],
    ['an empty name', { model: ['a', ''] }, 'SETTING_INVALID', 'model.1'],
    ['a model and a tissue', { model: 'a', tissue: 'lung' }, 'SETTING_INVALID', 'tissue'],
    ['one model of no tissue', { model: 'a', ensemble_mode: false }, 'SETTING_INVALID', 'ensemble_mode'],
    [
      'a map of the scores of two',
      { model: ['a', 'b'], umap_space: 'latent' },
      'MODELS_NO_LATENT',
      'umap_space',
    ],
    [
      'a map of the scores of a tissue',
      { tissue: 'skin', umap_space: 'latent' },
      'MODELS_NO_LATENT',
      'umap_space',
    ],
    ['more than all genes', { min_gene_overlap_pct: 101 }, 'SETTING_INVALID', 'min_gene_overlap_pct'],
    ['a batch of none', { batch_size: 0 }, 'SETTING_INVALID', 'batch_size'],
  ])('refuse %s', (_, given, code, place) => {
    expect(() => checked(given)).toThrow(
      expect.objectContaining({ name: 'BadInput', code, place: `job.yaml: ${place}` }),
    )
  })

  it.each([
    [['a', 'a'], /a model is named twice/],
    [{ name: 'a' }, /one model, or a list of 1 to 16 different ones/],
  ])('%j is told what it may be', (model, told) => {
    expect(() => checked({ model })).toThrow(told)
  })
})

describe('scoring in batches with a vote', () => {
  const given = {
    ...{ workflow: 'type-cells', query: 'q.h5ad', references: ['r.h5ad'], label_columns: ['type'] },
    ...{ majority_voting: true, scoring_batch_size: 100 },
  }

  it('is what type-cells can do', () => {
    expect(checkSettings(given, 'job.yaml')).toMatchObject({ scoring_batch_size: 100 })
  })

  it('is refused where all is to be as in SpatialCore, and only there', () => {
    expect(() => checkSettings({ ...given, compat: 'spatialcore' }, 'job.yaml')).toThrow(
      expect.objectContaining({ code: 'BATCH_VOTING', place: 'job.yaml: scoring_batch_size' }),
    )
    const { scoring_batch_size: _, ...unbatched } = given
    expect(() => checkSettings({ ...unbatched, compat: 'spatialcore' }, 'job.yaml')).not.toThrow()
  })
})
