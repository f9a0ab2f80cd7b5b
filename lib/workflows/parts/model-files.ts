/** A model as the files that CellTypist and SpatialCore read and write: NAME.pkl, NAME_celltypist.json, NAME_colors.json. */
import type { LinearModel } from '../../models/linear-model.ts'
import { type ModelFile, modelFiles } from '../../models/model-files.ts'
import { assignColours } from '../../report/colours.ts'

export function filesOfModel(model: LinearModel): ModelFile[] {
  const { labels, training } = model.card
  return modelFiles(model, { training, colours: assignColours(labels) })
}
