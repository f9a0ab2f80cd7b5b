/** Oracle: a file written anew says to anndata, element by element, what the original says, without a warning. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { copyCells } from '../../lib/data/copy-cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { h5adFiles } from '../support/real-h5ad.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = findPython()

/** What anndata reads, with the numbers as digests of their bytes. */
function dump(path: string, folder: string): unknown {
  execFileSync(python ?? '', [join(import.meta.dirname, 'dump.py'), path, folder], { stdio: 'inherit' })
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'), (key, value) =>
    key === 'file'
      ? createHash('sha256')
          .update(readFileSync(join(folder, value)))
          .digest('hex')
      : value,
  )
}

describe('a file written anew', () => {
  if (python === undefined) {
    it('says the same to anndata', ({ skip }) => skip(pythonMissing))
    return
  }
  it.each(h5adFiles())('from %s says the same to anndata', async (path) => {
    await using folder = await temporaryFolder()
    const copy = join(folder.path, 'copy.h5ad')
    const file = await openCells(path)
    const { parts, leftOut } = await copyCells(file)
    await writeH5ad(copy, parts, { gzip: 4 })
    await file.close()
    // names that occur twice in the original do so in the copy, and anndata says so
    const warnings = ['-W', 'error', '-W', 'ignore:Observation names are not unique']
    execFileSync(python, [...warnings, '-c', 'import anndata, sys; anndata.read_h5ad(sys.argv[1])', copy])
    expect(leftOut).toEqual([])
    expect(dump(copy, join(folder.path, 'after'))).toEqual(dump(path, join(folder.path, 'before')))
  })
})
