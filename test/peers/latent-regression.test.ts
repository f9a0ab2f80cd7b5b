/** Oracle: scikit-learn's LogisticRegression on the same places gives every cell the same probabilities. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { fitLatentRegression } from '../../lib/models/latent-regression.ts'
import { findPython } from '../support/python.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = findPython()

describe.skipIf(python === undefined)('a regression on latent places', () => {
  it.each([2, 3, 6])("of %i labels is scikit-learn's", async (labels) => {
    const draw = random(labels)
    const dims = 5
    const codes = Int32Array.from({ length: 300 }, (_, cell) => (cell % 11 === 0 ? -1 : cell % labels))
    const centres = Array.from({ length: labels * dims }, () => 2 * draw.normal())
    const latent = Float32Array.from({ length: 300 * dims }, (_, i) => {
      const code = Math.floor(i / dims) % labels
      return centres[code * dims + (i % dims)]! + 2 * draw.normal()
    })
    const { predict } = await fitLatentRegression(latent, { dims, codes, labels, place: 'test' })
    await using folder = await temporaryFolder()
    writeFileSync(
      join(folder.path, 'asked.json'),
      JSON.stringify({ dims, latent: [...latent], codes: [...codes] }),
    )
    const program = resolve(import.meta.dirname, 'latent_regression.py')
    const theirs = JSON.parse(execFileSync(python!, [program, folder.path], { encoding: 'utf8' })) as number[]
    const ours = predict(latent)
    expect(ours).toHaveLength(theirs.length)
    expect(Math.max(...theirs.map((value, i) => Math.abs(value - ours[i]!)))).toBeLessThan(1e-5)
  })
})
