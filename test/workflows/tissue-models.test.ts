/** Contract: the tissues of SpatialCore's annotate_celltypist and the models that stand for each. */
import { describe, expect, it } from 'vitest'
import { modelName } from '../../lib/models/model-card.ts'
import { modelsOfTissue, presetTissues } from '../../lib/workflows/annotate/tissue-models.ts'

describe('the models of a tissue', () => {
  it('are there for its fifteen tissues, by names that a model may have', () => {
    expect([...presetTissues].sort()).toEqual(
      'blood brain breast colon heart intestine liver lung lung_airway lung_cancer pancreas pbmc skin tonsil unknown'.split(
        ' ',
      ),
    )
    for (const tissue of presetTissues) {
      const { names, isListed } = modelsOfTissue(tissue)
      expect(isListed).toBe(true)
      expect(names[0]).toBe('Immune_All_Low')
      expect(new Set(names).size).toBe(names.length)
      for (const name of names) expect(modelName.safeParse(name).success).toBe(true)
    }
  })

  it.each([
    ['blood', ['Immune_All_Low', 'Pan_Fetal_Human']],
    ['pbmc', ['Immune_All_Low', 'Pan_Fetal_Human']],
    ['unknown', ['Immune_All_Low', 'Pan_Fetal_Human']],
    ['lung_cancer', ['Immune_All_Low', 'Human_Lung_Atlas']],
    ['lung', ['Immune_All_Low', 'Pan_Fetal_Human', 'Human_Lung_Atlas']],
  ])('are of %s what SpatialCore has', (tissue, names) => {
    expect(modelsOfTissue(tissue).names).toEqual(names)
  })

  it('are those of "unknown" for any other, which is told', () => {
    for (const tissue of ['spleen', '__proto__', 'constructor'])
      expect(modelsOfTissue(tissue)).toEqual({ names: modelsOfTissue('unknown').names, isListed: false })
  })

  it('are found however the tissue is written', () => {
    expect(modelsOfTissue(' Lung airway')).toEqual(modelsOfTissue('lung_airway'))
  })

  it('are one where there is to be no ensemble', () => {
    expect(modelsOfTissue('lung', { isEnsemble: false }).names).toEqual(['Immune_All_Low'])
  })
})
