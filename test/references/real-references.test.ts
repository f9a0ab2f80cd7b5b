/** Twin: real files of CELLxGENE's schema, three layouts of it, joined over the web and added up from the files themselves. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
import { chooseCells } from '../../lib/references/choose-cells.ts'
import { findFiles } from '../../lib/references/find-files.ts'
import type { FoundFile } from '../../lib/references/found-file.ts'
import { fileGenes } from '../../lib/references/reference-genes.ts'
import { parseSource } from '../../lib/references/source.ts'
import { writeReference } from '../../lib/references/write-reference.ts'
import { hasShared, sharedPath } from '../support/shared.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { startWebDouble } from '../support/web-double.ts'

const sources = [
  { name: 'scc_example_with_labels', matrix: 'X' },
  { name: 'merfish_mouse_brain_1000x1122_cxg', matrix: 'X' },
  { name: 'scc_example_invalid_CL', matrix: 'raw/X' },
]

/** Cells, and of each gene the sum of its counts. */
async function sumsOf(path: string, matrix: string) {
  const file = await openCells(path)
  const { ids } = fileGenes(await file.genesOf(matrix))
  const sums = new Map<string, number>()
  for await (const { indptr, indices, values, rows } of (await file.matrix(matrix)).slabs())
    for (let i = 0; i < indptr[rows]!; i++) {
      const id = ids[indices[i]!]!
      sums.set(id, (sums.get(id) ?? 0) + values[i]!)
    }
  const cells = file.rows
  await file.close()
  return { cells, sums }
}

it.runIf(hasShared)('files of three layouts become one, with every count under its Ensembl id', async () => {
  await using web = await startWebDouble()
  await using folder = await temporaryFolder()
  const environment = { CELLDROP_LOCAL_FILES: '1', CELLDROP_CACHE_BYTES: '0' }
  const files: FoundFile[] = []
  const wanted = new Map<string, number>()
  let cells = 0
  for (const { name, matrix } of sources) {
    const path = sharedPath('data/cxg_schema', `${name}.h5ad`)
    web.files.set(`/${name}.h5ad`, { bytes: await readFile(path) })
    const found = await findFiles(parseSource(`${web.address}/${name}.h5ad`), { environment })
    files.push(...found.files)
    const own = await sumsOf(path, matrix)
    cells += own.cells
    for (const [id, sum] of own.sums) wanted.set(id, (wanted.get(id) ?? 0) + sum)
  }
  const options = { seed: 1, labelColumn: null, resolveHierarchy: 'none', validateLabels: true } as const
  const chosen = await chooseCells(files, { ...options, environment })
  expect(chosen.files.map(({ matrix, holdsCounts }) => [matrix, holdsCounts])).toEqual(
    sources.map(({ matrix }) => [matrix, true]),
  )
  const path = join(folder.path, 'joined.h5ad')
  const facts = { source: 'three files', kind: 'file', release: null, synapse: null } as const
  const written = await writeReference(path, { files, chosen, facts, environment })
  expect(written.cells).toBe(cells)
  const joined = await sumsOf(path, 'X')
  const positive = [...wanted].filter(([, sum]) => sum !== 0).sort()
  expect([...joined.sums].sort()).toEqual(positive)
  expect(positive.length).toBeGreaterThan(500)
})
