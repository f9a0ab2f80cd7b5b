/** How many epochs the two trainings of a job have; Lambdas plan by it, so nothing heavy is loaded here. */
import type { FitReferenceSettings } from '../../job/settings/fit-reference.ts'
import { epochsAfterScvi, epochsFor } from '../../models/training-epochs.ts'

/** @param cells that take part */
export function epochsOf(settings: FitReferenceSettings, cells: number): { scvi: number; scanvi: number } {
  return {
    scvi: settings.max_epochs ?? epochsFor(cells),
    scanvi: settings.scanvi_epochs ?? epochsAfterScvi(cells),
  }
}
