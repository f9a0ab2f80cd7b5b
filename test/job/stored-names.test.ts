/** Contract: names that other programs look for, CELLxGENE and SpatialCore among them. */
import { expect, it } from 'vitest'
import { annotationNames, annotationPrefix, cellTyping } from '../../lib/job/stored-names.ts'

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
    latent: 'cxg_cell_type',
    umap: ['cxg_cell_type_umap', 'X_cxg_cell_type_umap'],
    predictions: 'cxg_cell_type_predictions',
  })
})

it('gives no two parts of cell typing one name', () => {
  const names = [...Object.values(cellTyping.obs), ...Object.values(cellTyping.reference)]
  expect(new Set(names).size).toBe(names.length)
  expect(
    names.every(
      (name) => name.startsWith('cell_type') || /^(original_label|reference_source|batch)$/.test(name),
    ),
  ).toBe(true)
})
