/** Reads everything that is in a file: facts, every matrix, every other element. Throws what reading throws. */
import type { AnnDataFile } from '../../lib/data/anndata/file.ts'
import type { CellFile } from '../../lib/data/cells.ts'
import { gatherFacts } from '../../lib/data/facts.ts'
import { type OpenOptions, openCells } from '../../lib/data/open-cells.ts'

export interface WholeReading {
  cells: number
  genes: number
  sums: Record<string, number>
}

export async function readWhole(path: string, options: OpenOptions = {}): Promise<WholeReading> {
  const file = await openCells(path, options)
  try {
    const facts = await gatherFacts(file)
    const sums: Record<string, number> = {}
    for (const name of file.matrices) {
      let sum = 0
      for await (const { values } of (await file.matrix(name)).slabs({ transient: true })) {
        for (const value of values) sum += value
      }
      sums[name] = sum
    }
    if (isAnnData(file)) await readOthers(file)
    return { cells: facts.nObs, genes: facts.nVars, sums }
  } finally {
    await file.close()
  }
}

function isAnnData(file: CellFile): file is AnnDataFile {
  return file.format === 'h5ad' || file.format === 'zarr'
}

async function readOthers(file: AnnDataFile): Promise<void> {
  for (const group of ['obsm', 'varm', 'obsp', 'varp'] as const) await file.mapping(group)
  for (const name of file.namesIn('uns')) await file.unstructured(name)
  await file.rawVar()
}
