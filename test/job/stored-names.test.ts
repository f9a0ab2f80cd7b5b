/** Contract: names that other programs look for, CELLxGENE and SpatialCore among them. */
import { expect, it } from 'vitest'
import { annotationNames, annotationPrefix, atlasNames, cellTypingNames } from '../../lib/job/stored-names.ts'

it.each([
  [{}, 'cxg_cell_type'],
  [{ run: 'r1' }, 'cxg_cell_type_r1'],
  [{ prefix: '', type: 'tissue' }, 'tissue'],
])('%j hangs its keys on %s', (parts, prefix) => {
  expect(annotationPrefix(parts)).toBe(prefix)
})

it('keeps the keys of CELLxGENE Annotate, and the UMAP under a name that its explorer lists', () => {
  expect(annotationNames('cxg_cell_type')).toMatchObject({
    predicted: 'cxg_cell_type_predicted',
    uncertainty: 'cxg_cell_type_predicted_uncertainty',
    model: 'cxg_cell_type_model',
    latent: 'cxg_cell_type',
    umap: ['cxg_cell_type_umap', 'X_cxg_cell_type_umap'],
    predictions: 'cxg_cell_type_predictions',
  })
})

it('gives no two parts of cell typing one name', () => {
  const { obs, obsm, neighbours } = cellTypingNames('cell_type')
  const names = [...Object.values(obs), ...Object.values(obsm).flat(), ...Object.values(neighbours)]
  expect(new Set(names).size).toBe(names.length)
  expect(names.every((name) => /^(?:X_)?cell_type(?:_|$)/.test(name))).toBe(true)
  expect(obs).toMatchObject({
    label: 'cell_type',
    predicted: 'cell_type_predicted',
    confidence: 'cell_type_confidence',
    confidenceRaw: 'cell_type_confidence_raw',
    model: 'cell_type_model',
    ontologyId: 'cell_type_ontology_term_id',
    ontologyLabel: 'cell_type_ontology_label',
    ontologyTier: 'cell_type_ontology_tier',
    ontologyScore: 'cell_type_ontology_score',
  })
})

it('gives what is mapped onto an atlas the names of scPDAC, and no two parts one name', () => {
  const names = atlasNames({ label: 'predicted_celltype', latent: 'X_scANVI_emb', source: 'source' })
  expect(names.obs).toMatchObject({ predicted: 'predicted_celltype', source: 'source' })
  expect(names.obsm).toMatchObject({ latent: 'X_scANVI_emb', jointUmap: 'X_umap' })
  const all = [names.obs, names.obsm, names.uns].flatMap((part) => Object.values(part))
  expect(new Set(all).size).toBe(all.length)
})
