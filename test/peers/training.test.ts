/** Oracle: linear models trained on sparse cells are those that scikit-learn trains on the dense table. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { fitLinear } from '../../lib/models/fit-linear.ts'
import { labelledCells } from '../models/labelled-cells.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = findPython()

describe('a model of 400 cells x 80 genes', () => {
  if (python === undefined) {
    it('is that of scikit-learn', ({ skip }) => skip(pythonMissing))
    return
  }
  it.each([
    ['ovr', 8, 1],
    ['ovr', 8, 0.02],
    ['ovr', 2, 1],
    ['multinomial', 8, 1],
    ['multinomial', 8, 0.02],
    ['multinomial', 2, 1],
    ['multinomial', 30, 5],
  ] as const)('is that of scikit-learn: %s, %i labels, C %d', async (loss, labels, strength) => {
    await using folder = await temporaryFolder()
    const made = labelledCells(random(labels), { rows: 400, genes: 80, labels })
    const cells = { ...made.cells, values: Float32Array.from(made.cells.values) }
    const save = (name: string, numbers: Uint8Array | Int32Array | Float32Array): void =>
      writeFileSync(join(folder.path, `${name}.bin`), numbers)
    save('values', cells.values)
    save('indices', cells.indices)
    save('indptr', Int32Array.from(cells.indptr))
    save('codes', made.codes)
    const argv = [folder.path, cells.rows, cells.columns, loss, strength].map(String)
    const output = execFileSync(python, [join(import.meta.dirname, 'training.py'), ...argv], {
      encoding: 'utf8',
    })
    const wanted = JSON.parse(output) as { objective: number; intercept: number[] }
    const bytes = readFileSync(join(folder.path, 'weights.bin'))
    const weights = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))

    const fit = await fitLinear(cells, { codes: made.codes, labels, loss, strength, tolerance: 1e-13 })
    expect(Math.abs(fit.objective / wanted.objective - 1)).toBeLessThan(1e-6)
    expect(fit.weights.length).toBe(weights.length)
    for (const [i, value] of weights.entries()) expect(Math.abs(fit.weights[i]! - value)).toBeLessThan(1e-4)
    for (const [i, value] of wanted.intercept.entries())
      expect(Math.abs(fit.intercept[i]! - value)).toBeLessThan(1e-3)
  })
})
