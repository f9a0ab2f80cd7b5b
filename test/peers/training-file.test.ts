/** Oracle: anndata opens training.h5ad without a warning, and scikit-learn learns from it the model that the job learnt. */
import { execFileSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Column } from '../../lib/data/cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { categorical, referenceFile, simulateStudy, studyFile } from '../support/simulated-studies.ts'
import { typed } from '../support/type-cells-run.ts'

const python = findPython()
const missing = python === undefined ? pythonMissing : 'no scikit-learn (Debian: python3-sklearn)'
const isReady = python !== undefined && importsSklearn(python)
const script = join(import.meta.dirname, 'training_file.py')

function importsSklearn(command: string): boolean {
  try {
    execFileSync(command, ['-c', 'import sklearn'], { stdio: 'ignore', timeout: 120_000 })
    return true
  } catch {
    console.warn(`${missing}: the training file is not compared`)
    return false
  }
}

let lab: Installation
beforeAll(async () => {
  lab = await makeInstallation()
})
afterAll(() => lab.folder[Symbol.asyncDispose]())

interface Found {
  cells: number
  names_unique: boolean
  dtypes: Record<string, string>
  missing: Record<string, number>
  x_from_counts: number
  x_within_counts: boolean
  validation: { reference: string }[]
  predicted: string[]
  ours: string[]
  largest_difference: number
}

describe.skipIf(!isReady)(`the training cells in Python (${isReady ? python : missing})`, () => {
  it.each([false, true])(
    'open without a warning and give the labels and scores of the model, match_depth %s',
    async (deep) => {
      const [first, second] = [simulateStudy(1, 200), simulateStudy(2, 150, { depth: 2 })]
      const query = simulateStudy(3, 60, { depth: 0.5 })
      const age: Column = {
        kind: 'number',
        type: 'int64',
        values: BigInt64Array.from(first.types, (_, i) => BigInt(i)),
      }
      const files = {
        'q.h5ad': studyFile(query.counts),
        'ref-1.h5ad': referenceFile(first, {
          ids: true,
          obs: { age, batch: categorical(first.types.map((_, i) => `b${i % 2}`)) },
        }),
        'ref-2.h5ad': referenceFile(second, {
          called: (type) => `${type}s`,
          names: second.types.map((_, i) => `cell-${i % 100}`),
          obs: { batch: { kind: 'string', values: second.types.map((_, i) => `c${i % 3}`) } },
        }),
      }
      const run = await typed(lab, files, {
        write_training: true,
        max_cells_per_type: 50,
        match_depth: deep,
        regularisation: 1,
      })
      const path = join(lab.folder.path, `query-${deep}.h5ad`)
      await writeH5ad(path, studyFile(query.counts))
      const training = join(dirname(run.path), run.result.outputs.training!)
      const output = execFileSync(python!, [script, training, path, run.path], {
        encoding: 'utf8',
        maxBuffer: 1 << 26,
      })
      const found = JSON.parse(output) as Found
      expect(found).toMatchObject({
        cells: 250,
        names_unique: true,
        x_within_counts: true,
        dtypes: {
          ...{ original_label: 'category', reference_source: 'category', cell_type: 'category' },
          ...{ cell_type_ontology_term_id: 'category', batch: 'category', age: 'Int64' },
        },
        missing: { cell_type: 0, batch: 0, cell_type_ontology_term_id: 0 },
        validation: [{ reference: 'reference-1' }, { reference: 'reference-2' }],
      })
      expect(found.missing.age).toBeGreaterThan(0)
      console.info(`largest difference of a score: ${found.largest_difference}; of X: ${found.x_from_counts}`)
      // thinned cells are no longer those of the counts
      if (deep) expect(found.x_from_counts).toBeGreaterThan(0.1)
      else expect(found.x_from_counts).toBeLessThan(1e-5)
      expect(found.predicted).toEqual(found.ours)
      expect(new Set(found.predicted).size).toBe(5)
      expect(found.largest_difference).toBeLessThan(1e-3)
    },
  )
})
