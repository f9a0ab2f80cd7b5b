/**
 * CellTypist's public models by tissue, as SpatialCore's annotate_celltypist presets them: an atlas of immune cells, one of fetal tissues,
 * and one of the tissue where there is one. Its fifteen tissues, the two first models and `lung_cancer` are SpatialCore's; which model
 * stands for each other tissue is our choice among CellTypist's. Names are those under which the models are to be imported.
 */
const immune = 'Immune_All_Low'
const common = [immune, 'Pan_Fetal_Human']

const presets: ReadonlyMap<string, readonly string[]> = new Map([
  ['unknown', common],
  ['colon', [...common, 'Cells_Intestinal_Tract']],
  ['intestine', [...common, 'Cells_Intestinal_Tract']],
  ['liver', [...common, 'Healthy_Human_Liver']],
  ['lung', [...common, 'Human_Lung_Atlas']],
  ['lung_airway', [...common, 'Cells_Lung_Airway']],
  ['lung_cancer', [immune, 'Human_Lung_Atlas']],
  ['heart', [...common, 'Healthy_Adult_Heart']],
  ['breast', [...common, 'Cells_Adult_Breast']],
  ['skin', [...common, 'Adult_Human_Skin']],
  ['pancreas', [...common, 'Adult_Human_PancreaticIslet']],
  ['brain', [...common, 'Adult_Human_PrefrontalCortex']],
  ['tonsil', [...common, 'Cells_Human_Tonsil']],
  ['blood', common],
  ['pbmc', common],
])

export const presetTissues: readonly string[] = [...presets.keys()]

/** @returns the names of the models; `isListed` is false for a tissue that has none of its own and gets those of `unknown` */
export function modelsOfTissue(
  tissue: string,
  { isEnsemble = true }: { isEnsemble?: boolean } = {},
): { names: readonly string[]; isListed: boolean } {
  const found = presets.get(
    tissue
      .trim()
      .toLowerCase()
      .replaceAll(/[\s-]+/g, '_'),
  )
  return { names: isEnsemble ? (found ?? common) : [immune], isListed: found !== undefined }
}
