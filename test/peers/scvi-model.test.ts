/** Oracle: model directories of scvi-tools, read and written again, are to PyTorch and pandas what they were: every tensor bit by bit. */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openFileSource } from '../../lib/data/file-source.ts'
import { exportScvi } from '../../lib/models/scvi-export.ts'
import { importScvi } from '../../lib/models/scvi-import.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = '/usr/bin/python3'
const missing = 'no /usr/bin/python3 with torch and pandas (Debian: python3-torch python3-pandas)'

function hasTorch(): boolean {
  try {
    execFileSync(python, ['-c', 'import torch, pandas'], { stdio: 'ignore', timeout: 120_000 })
    return true
  } catch {
    console.warn(`${missing}: checks against PyTorch are skipped`)
    return false
  }
}

const directories = [
  'kang_scvi_seed0',
  'kang_surgery_ref_scanvi',
  'kang_surgery_query_scanvi',
  'muscat_surgery_ref_scvi',
  'muscat_surgery_ref_scanvi',
  'muscat_surgery_query_scanvi',
]

describe.runIf(hasShared && hasTorch())('a model that was imported and exported', () => {
  it.each(directories)(
    '%s, has the tensors, genes, registry and history of the original to PyTorch',
    async (name) => {
      await using folder = await temporaryFolder()
      const original = sharedPath('golden', 'scvi', name, 'model.pt')
      const source = await openFileSource(original)
      const { model, notices } = await importScvi(source)
      await source.close()
      const written = join(folder.path, 'model.pt')
      writeFileSync(written, exportScvi(model))
      const output = execFileSync(python, [join(import.meta.dirname, 'scvi_model.py'), written, original])
      const { differences, tensors } = JSON.parse(output.toString()) as {
        differences: string[]
        tensors: number
      }
      expect(differences).toEqual([])
      expect(tensors).toBeGreaterThan(20)
      expect(notices).toEqual([])
    },
  )
})
