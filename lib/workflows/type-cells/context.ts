import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import type { StepContext } from '../workflow.ts'

export type TypeCellsContext = StepContext<TypeCellsSettings>
