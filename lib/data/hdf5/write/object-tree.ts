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

/** Finds, makes and changes groups by path. */
export class ObjectTree {
  readonly #root: Group
  readonly #load: (address: number) => Group | undefined

  /** `load` gives the group that a link of an existing file leads to */
  constructor(root: Group, load: (address: number) => Group | undefined) {
    this.#root = root
    this.#load = load
  }

  find(path: string): Entry | undefined {
    let entry: Entry | undefined = { kind: 'group', group: this.#root }
    for (const name of namesOf(path)) {
      if (entry?.kind !== 'group') return undefined
      entry = this.#open(entry.group, name)
    }
    return entry
  }

  /** The group at a path, made where there is none; it and those above it will be written. */
  enter(path: string): Group {
    let group = this.#root
    group.isChanged = true
    for (const name of namesOf(path)) {
      const entry = this.#open(group, name)
      if (entry !== undefined && entry.kind !== 'group') throw notGroup(path, name)
      const child = entry?.group ?? newGroup()
      if (entry === undefined) group.links.set(name, { kind: 'group', group: child })
      child.isChanged = true
      group = child
    }
    return group
  }

  put(path: string, entry: Entry): { parent: Group; name: string } {
    const { parentPath, name } = split(path)
    const parent = this.enter(parentPath)
    parent.links.set(name, entry)
    return { parent, name }
  }

  remove(path: string): boolean {
    const { parentPath, name } = split(path)
    const parent = this.find(parentPath)
    if (parent?.kind !== 'group' || !parent.group.links.has(name)) return false
    this.enter(parentPath).links.delete(name)
    return true
  }

  /** An entry of a group; a link to a group of an existing file becomes that group. */
  #open(group: Group, name: string): Entry | undefined {
    const entry = group.links.get(name)
    if (entry?.kind !== 'hard') return entry
    const loaded = this.#load(entry.address)
    if (loaded === undefined) return entry
    const opened: Entry = { kind: 'group', group: loaded }
    group.links.set(name, opened)
    return opened
  }
}

function split(path: string): { parentPath: string; name: string } {
  const names = namesOf(path)
  const name = names.pop()
  if (name === undefined) throw new RangeError('the root is a group')
  return { parentPath: `/${names.join('/')}`, name }
}

function notGroup(path: string, name: string): BadInput {
  return new BadInput(
    'HDF5_UNSUPPORTED',
    path,
    `${JSON.stringify(name)} is not a group of this file`,
    'Write the file again with a current anndata (`adata.write_h5ad`)',
  )
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
