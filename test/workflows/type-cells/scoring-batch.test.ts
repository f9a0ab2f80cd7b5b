/** Twin: cells of a query get the same scores and labels however many of them are scored at once. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Installation, makeInstallation } from '../../support/installation.ts'
import { arrayOf, textsOf } from '../../support/read-h5ad.ts'
import { referenceFile, simulateStudy, studyFile, studyTypes } from '../../support/simulated-studies.ts'
import { typed } from '../../support/type-cells-run.ts'

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

it('scores a few cells at once as it scores all', async () => {
  const cells = 50
  const files = {
    'q.h5ad': studyFile(simulateStudy(3, cells).counts),
    'ref-1.h5ad': referenceFile(simulateStudy(1, 150), { called: (type) => type }),
  }
  const outcomeOf = async (settings: Record<string, unknown>) => {
    const { look, obs } = await typed(lab, files, { feature_selection: true, top_genes: 5, ...settings })
    const shape = [cells, studyTypes.length]
    return {
      scores: await look(async (file) =>
        arrayOf(await file.mapping('obsm'), 'cell_type_decision_scores', shape),
      ),
      labels: textsOf(obs.columns.get('cell_type')),
    }
  }
  const [whole, parts] = [await outcomeOf({}), await outcomeOf({ scoring_batch_size: 7 })]
  expect(new Set(whole.labels).size).toBeGreaterThan(1)
  expect(parts).toEqual(whole)
})
