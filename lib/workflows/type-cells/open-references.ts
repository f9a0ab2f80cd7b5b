/** The references of a job, opened on this machine for as long as somebody looks at them. */
import type { CellFile } from '../../data/cells.ts'
import { openCells } from '../../data/open-cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { type LocalInput, localInput } from '../road/inputs.ts'
import type { InputFacts } from '../workflow.ts'
import type { TypeCellsContext } from './context.ts'
import { referenceRole } from './rules.ts'

export interface OpenReference {
  role: string
  /** in the store */
  key: string
  facts: InputFacts
  file: CellFile
}

/**
 * @returns what `use` does, with what the copies of the files came with
 * @throws StoreFailure OBJECT_CHANGED when a file was changed meanwhile
 */
export async function withReferences<Found>(
  { road, stores, scratch }: TypeCellsContext,
  use: (references: OpenReference[]) => Promise<Found>,
): Promise<{ found: Found; notices: ErrorReport[] }> {
  const opened: { reference: OpenReference; source: LocalInput }[] = []
  try {
    for (const index of road.settings.references.keys()) {
      const role = referenceRole(index)
      const input = road.inputs.find(({ pin }) => pin.role === role)
      if (input === undefined) throw new Error(`no facts of ${role}`)
      const source = await localInput(input.pin, { stores, scratch })
      const { facts, pin } = input
      opened.push({ reference: { role, key: pin.key, facts, file: await openCells(source.path) }, source })
    }
    const found = await use(opened.map(({ reference }) => reference))
    for (const { source } of opened) await source.check()
    return { found, notices: opened.flatMap(({ source }) => source.notices) }
  } finally {
    for (const { reference, source } of opened) {
      await reference.file.close()
      await source.release()
    }
  }
}
