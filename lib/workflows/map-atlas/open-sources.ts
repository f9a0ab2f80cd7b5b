/** The files of a job, opened together: the atlas first, where there is one, as the joint file has them. */
import type { CellFile, Table } from '../../data/cells.ts'
import { openCells } from '../../data/open-cells.ts'
import { type LocalInput, localInput } from '../road/inputs.ts'
import type { MapAtlasContext } from './context.ts'

export interface Source {
  role: 'query' | 'atlas'
  input: LocalInput
  file: CellFile
  obs: Table
  /** of the matrix that counts are read from */
  matrix: string
}

/** @throws StoreFailure OBJECT_CHANGED for a file that changed meanwhile */
export async function withSources<Result>(
  context: MapAtlasContext,
  use: (sources: readonly Source[]) => Promise<Result>,
): Promise<Result> {
  const sources: Source[] = []
  try {
    for (const [index, { pin, facts }] of [...context.road.inputs.entries()].reverse()) {
      const input = await localInput(pin, context)
      const file = await openCells(input.path)
      const role = index === 0 ? 'query' : 'atlas'
      sources.push({ role, input, file, obs: await file.obs(), matrix: facts.counts.matrix })
    }
    const result = await use(sources)
    for (const { input } of sources) await input.check()
    return result
  } finally {
    for (const { file, input } of sources) {
      await file.close()
      await input.release()
    }
  }
}
