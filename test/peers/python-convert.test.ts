/** Oracle: a file written anew says to anndata, element by element, what the original says, without a warning. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { copyCells } from '../../lib/data/copy-cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { findPython, pythonMissing } from '../support/python.ts'
import { type PythonProgram, startPython } from '../support/python-program.ts'
import { h5adFiles } from '../support/real-h5ad.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = findPython()

/** What anndata reads, with the numbers as digests of their bytes. */
async function dump(
  program: PythonProgram,
  asked: { file: string; out: string; strict: boolean },
): Promise<unknown> {
  await program.ask(asked)
  return JSON.parse(readFileSync(join(asked.out, 'manifest.json'), 'utf8'), (key, value) =>
    key === 'file'
      ? createHash('sha256')
          .update(readFileSync(join(asked.out, value)))
          .digest('hex')
      : value,
  )
}

describe('a file written anew', () => {
  if (python === undefined) {
    it('says the same to anndata', ({ skip }) => skip(pythonMissing))
    return
  }
  let program: PythonProgram
  beforeAll(() => {
    program = startPython(python, [join(import.meta.dirname, 'dump.py')])
  })
  afterAll(() => program.close())

  it.each(h5adFiles())('from %s says the same to anndata', async (path) => {
    await using folder = await temporaryFolder()
    const copy = join(folder.path, 'copy.h5ad')
    const file = await openCells(path)
    const { parts, leftOut } = await copyCells(file)
    await writeH5ad(copy, parts, { gzip: 4 })
    await file.close()
    expect(leftOut).toEqual([])
    // names that occur twice in the original do so in the copy, and anndata says so; of anything else it is not to warn
    const after = await dump(program, { file: copy, out: join(folder.path, 'after'), strict: true })
    const before = await dump(program, { file: path, out: join(folder.path, 'before'), strict: false })
    expect(after).toEqual(before)
  })
})
