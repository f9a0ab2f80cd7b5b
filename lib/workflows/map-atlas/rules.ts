/** What can be refused of a `map-atlas` job before any machine is started for it, and the keys that it writes. */
import { BadInput } from '../../job/errors.ts'
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import { type AtlasNames, atlasNames } from '../../job/stored-names.ts'
import type { Inspection } from '../../prep/inspect-dataset.ts'
import { requireBatchColumn } from '../parts/batch-column.ts'
import type { WorkflowRules } from '../workflow.ts'

export const mapAtlasRules: WorkflowRules<MapAtlasSettings> = {
  inputs: ({ query, atlas }) => [
    { role: 'query', location: query },
    ...(atlas === undefined ? [] : [{ role: 'atlas', location: atlas }]),
  ],
  documents: () => [],
  places: () => [],
  relocated: (settings, [query = settings.query, atlas = settings.atlas]) => ({
    ...settings,
    query,
    ...(atlas !== undefined && { atlas }),
  }),
  models: ({ model }) => ({
    names: model === undefined ? [] : [model],
    mayLack: false,
    family: 'network',
    notices: [],
  }),
  labelColumns: () => null,
  check({ inspection }, settings) {
    const { place, nObs } = inspection
    if (nObs === 0)
      throw new BadInput('CELLS_NONE', place, 'there are no cells in the file', 'Give a file with cells')
    requireBatchColumn(inspection, {
      wanted: settings.batch_key,
      otherwise: 'a file of one batch needs a column too',
    })
    refuseSecondRun(inspection, settings)
    return []
  },
  afterPrepare: ({ mode }) => (mode === 'extend' ? 'Fit' : 'Embed'),
  overwrites: ({ overwrite }) => overwrite,
}

export function namesFor({ label_key, obsm_key, source_key }: MapAtlasSettings): AtlasNames {
  return atlasNames({ label: label_key, latent: obsm_key, source: source_key })
}

/** What an earlier run wrote is replaced only when that is asked for. */
function refuseSecondRun({ obs, place }: Inspection, settings: MapAtlasSettings): void {
  if (settings.overwrite) return
  const names = Object.values(namesFor(settings).obs)
  const wanted = settings.mode === 'extend' ? names : names.filter((name) => name !== settings.source_key)
  const taken = wanted.filter((name) => obs.some((column) => column.name === name))
  if (taken.length === 0) return
  throw new BadInput(
    'OUTPUT_EXISTS',
    `${place}:/obs/${taken[0]}`,
    `the file has columns of this name already: ${taken.join(', ')}`,
    'Choose another label_key or source_key, or set overwrite: true to replace them',
  )
}
