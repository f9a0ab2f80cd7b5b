import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import type { StepContext } from '../workflow.ts'

export type MapAtlasContext = StepContext<MapAtlasSettings>
