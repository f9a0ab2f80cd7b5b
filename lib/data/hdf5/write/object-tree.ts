/**
 * The groups of a file being written, in memory: new ones, and those of an existing file that are looked into. A group
 * is written when something in it or below it changed; what nobody touched keeps its place in the file.
 */
import { BadInput } from '../../../job/errors.ts'
import type { Link } from '../format/groups.ts'
import type { Message } from '../format/object-header.ts'
import { asMessage, objectHeader, symbolTableMessage } from './messages.ts'
import type { OutputFile } from './output-file.ts'
import { type LinkToWrite, type SymbolTableSizes, writeSymbolTable } from './symbol-table-writer.ts'

export interface Group {
  links: Map<string, Entry>
  /** attribute messages by name */
  attributes: Map<string, Message>
  isChanged: boolean
  /** where it lies when it is not changed */
  address: number | undefined
}

export type Entry =
  | Link
  | { kind: 'group'; group: Group }
  /** a name taken by a dataset whose stream is open */
  | { kind: 'open' }

export const newGroup = (): Group => ({
  links: new Map(),
  attributes: new Map(),
  isChanged: true,
  address: undefined,
})

const MOST_NAME_BYTES = 1024

/** @throws BadInput KEY_UNSUPPORTED for names that HDF5, or Python above it, takes for something else */
export function checkName(name: string, place: string): void {
  const problem =
    name === ''
      ? 'a name is empty'
      : name === '.' || name === '..'
        ? `the name ${JSON.stringify(name)} means a folder`
        : name.includes('/') || name.includes('\0')
          ? `the name ${JSON.stringify(name.slice(0, 100))} has a "/" or NUL inside`
          : !name.isWellFormed()
            ? 'a name is not valid Unicode'
            : Buffer.byteLength(name) > MOST_NAME_BYTES
              ? `the name ${JSON.stringify(name.slice(0, 100))}... is longer than ${MOST_NAME_BYTES} bytes`
              : undefined
  if (problem !== undefined) throw new BadInput('KEY_UNSUPPORTED', place, problem, 'Give it another name')
}

/** Names along a path that starts with '/'. */
export function namesOf(path: string): string[] {
  if (path === '/') return []
  const names = path.split('/')
  if (names[0] !== '') throw new RangeError(`${path} does not start with "/"`)
  for (const name of names.slice(1)) checkName(name, path)
  return names.slice(1)
}

/** Writes changed groups from the deepest up. */
export async function writeGroup(
  file: OutputFile,
  group: Group,
  sizes: SymbolTableSizes,
): Promise<{ header: number; table: { tree: number; heap: number } | undefined }> {
  if (!group.isChanged && group.address !== undefined) return { header: group.address, table: undefined }
  const links = new Map<string, LinkToWrite>()
  for (const [name, entry] of group.links) links.set(name, await settleEntry(file, { name, entry, sizes }))
  const table = await writeSymbolTable(file, links, sizes)
  const messages = [asMessage('symbolTable', symbolTableMessage(table)), ...group.attributes.values()]
  const header = file.append(objectHeader(messages))
  await file.room()
  return { header, table }
}

async function settleEntry(
  file: OutputFile,
  { name, entry, sizes }: { name: string; entry: Entry; sizes: SymbolTableSizes },
): Promise<LinkToWrite> {
  if (entry.kind === 'hard' || entry.kind === 'soft') return entry
  if (entry.kind === 'group') {
    return { kind: 'hard', address: (await writeGroup(file, entry.group, sizes)).header }
  }
  if (entry.kind === 'open') throw new RangeError(`the dataset ${name} is still open`)
  throw new BadInput(
    'HDF5_UNSUPPORTED',
    name,
    'a changed group has a link into another file',
    'Write the file again so that everything is inside',
  )
}
