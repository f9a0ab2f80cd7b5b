/** The simulated study that options are tried on: a query, one reference, and what a run of them with some settings leaves. */
import type { Installation } from '../../support/installation.ts'
import { numbersOf } from '../../support/read-h5ad.ts'
import { referenceFile, type StudyType, simulateStudy, studyFile } from '../../support/simulated-studies.ts'
import { type JobFiles, type TypedRun, typed } from '../../support/type-cells-run.ts'

export const cells = 50
export const asked = simulateStudy(3, cells)
export const query = studyFile(asked.counts)
const taught = simulateStudy(1, 150)

export type Called = (type: StudyType, cell: number) => string | undefined

export const filesOf = (called: Called = (type) => type, more: JobFiles = {}): JobFiles => ({
  'q.h5ad': query,
  'ref-1.h5ad': referenceFile(taught, { called }),
  ...more,
})

export interface Asked {
  /** what the reference calls its cells; their types when absent */
  called?: Called | undefined
  settings?: Record<string, unknown>
  more?: JobFiles
}

export const runStudy = (lab: Installation, { called, settings = {}, more }: Asked): Promise<TypedRun> =>
  typed(lab, filesOf(called, more), settings)

export const confidenceOf = ({ obs }: TypedRun) => numbersOf(obs.columns.get('cell_type_confidence'))
