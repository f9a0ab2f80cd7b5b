/**
 * The tree of an untrusted HDF5 file, walked by our own parser before the library sees any of it. Paths are resolved
 * through hard links, and soft links that stay in the file; whatever points out of the file is refused, as are
 * datasets that declare more than such a file can hold.
 *
 * Trap: the library follows external links, external storage and virtual datasets without a word.
 */
import { BadInput } from '../../job/errors.ts'
import type { ReadBytes } from './format/bytes.ts'
import { type DatasetDescription, describeDataset, isDataset } from './format/dataset.ts'
import { groupLinks, type Link } from './format/groups.ts'
import { MESSAGE, type Message, readObjectHeader } from './format/object-header.ts'
import { heapChecker } from './global-heap.ts'
import type { Hdf5Limits } from './limits.ts'

export interface FoundObject {
  /** the same object by hard links alone: what the library is asked for */
  path: string
  address: number
  links?: Map<string, Link>
  dataset?: DatasetDescription
}

export interface ObjectWalk {
  find(path: string): FoundObject | undefined
  /** every object, each once; @throws BadInput at the first that must not be there */
  visitAll(): number
}

interface FileFacts {
  read: ReadBytes
  size: number
  rootAddress: number
  place: string
  limits: Hdf5Limits
  checkHeaps(messages: readonly Message[]): void
}

const mostSoftLinks = 16

/** HDF5's registered numbers of the filters that are accepted; all but the first group undo one compression. */
export const filterNames = new Map([
  [2, 'shuffle'],
  [3, 'fletcher32'],
  [5, 'nbit'],
  [6, 'scaleoffset'],
  [1, 'deflate'],
  [4, 'szip'],
  [307, 'bz2'],
  [32000, 'lzf'],
  [32001, 'blosc'],
  [32004, 'lz4'],
  [32008, 'bshuf'],
  [32015, 'zstd'],
  [32026, 'blosc2'],
])
const isCompressor = (id: number): boolean => id === 1 || id === 4 || id > 255

export function walkObjects(file: Omit<FileFacts, 'checkHeaps'>): ObjectWalk {
  const facts: FileFacts = { ...file, checkHeaps: heapChecker(file.read) }
  const known = new Map<number, Omit<FoundObject, 'path'>>()

  const load = (address: number, path: string): FoundObject => {
    let found = known.get(address)
    if (found === undefined) {
      if (known.size >= facts.limits.objects) {
        throw refuse(facts, {
          path,
          code: 'HDF5_TOO_MANY_OBJECTS',
          problem: `it holds more than ${facts.limits.objects} objects`,
        })
      }
      found = loadObject(facts, { address, path })
      known.set(address, found)
    }
    return { ...found, path }
  }

  const step = (from: FoundObject, name: string, softLinks: { left: number }): FoundObject | undefined => {
    const link = from.links?.get(name)
    const path = from.path === '/' ? `/${name}` : `${from.path}/${name}`
    if (link === undefined) return undefined
    if (link.kind === 'hard') return load(link.address, path)
    if (link.kind !== 'soft') throw outOfFile(facts, { path, kind: link.kind })
    if (softLinks.left-- <= 0)
      throw refuse(facts, { path, code: 'HDF5_LINK_LOOP', problem: 'links lead round in a circle' })
    return follow(link.target.startsWith('/') ? load(facts.rootAddress, '/') : from, {
      path: link.target,
      softLinks,
    })
  }

  const follow = (
    start: FoundObject,
    { path, softLinks }: { path: string; softLinks: { left: number } },
  ): FoundObject | undefined => {
    const names = path.split('/').filter((name) => name !== '' && name !== '.')
    if (names.length > facts.limits.depth) {
      throw refuse(facts, {
        path,
        code: 'HDF5_TOO_DEEP',
        problem: `a path of more than ${facts.limits.depth} names`,
      })
    }
    let at: FoundObject | undefined = start
    for (const name of names) {
      if (at === undefined) return undefined
      at = step(at, name, softLinks)
    }
    return at
  }

  return {
    find: (path) => follow(load(facts.rootAddress, '/'), { path, softLinks: { left: mostSoftLinks } }),
    visitAll() {
      const seen = new Set<number>()
      const open: { object: FoundObject; depth: number }[] = [
        { object: load(facts.rootAddress, '/'), depth: 0 },
      ]
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        const { object, depth } = next
        if (seen.has(object.address)) continue
        seen.add(object.address)
        if (depth > facts.limits.depth) {
          throw refuse(facts, {
            path: object.path,
            code: 'HDF5_TOO_DEEP',
            problem: `groups nested ${depth} deep`,
          })
        }
        for (const [name, link] of object.links ?? []) {
          const path = object.path === '/' ? `/${name}` : `${object.path}/${name}`
          if (link.kind === 'hard') open.push({ object: load(link.address, path), depth: depth + 1 })
          else if (link.kind !== 'soft') throw outOfFile(facts, { path, kind: link.kind })
        }
      }
      return seen.size
    },
  }
}

function loadObject(
  facts: FileFacts,
  { address, path }: { address: number; path: string },
): Omit<FoundObject, 'path'> {
  try {
    const messages: Message[] = readObjectHeader(facts.read, address)
    facts.checkHeaps(messages)
    if (isGroup(messages))
      return { address, links: checkedLinks(facts, { path, links: groupLinks(facts.read, messages) }) }
    // a named datatype is neither; nothing we read needs one by its path
    if (!isDataset(messages)) return { address }
    const dataset = describeDataset(messages)
    checkDataset(facts, { path, dataset })
    return { address, dataset }
  } catch (error) {
    if (!(error instanceof BadInput) || error.place.startsWith(facts.place)) throw error
    throw new BadInput(
      error.code,
      `${facts.place}:${path}`,
      `${error.problem} (${error.place})`,
      error.remedy,
      { cause: error },
    )
  }
}

function isGroup(messages: readonly Message[]): boolean {
  return messages.some(
    ({ type }) => type === MESSAGE.symbolTable || type === MESSAGE.linkInfo || type === MESSAGE.link,
  )
}

/** A name that is a path would mean one object to us and another to the library. */
function checkedLinks(
  facts: FileFacts,
  { path, links }: { path: string; links: Map<string, Link> },
): Map<string, Link> {
  for (const name of links.keys()) {
    if (name === '' || name === '.' || name.includes('/') || name.includes('\0')) {
      throw refuse(facts, {
        path,
        code: 'HDF5_DAMAGED',
        problem: `it holds an impossible name (${JSON.stringify(name)})`,
      })
    }
  }
  return links
}

function checkDataset(
  facts: FileFacts,
  { path, dataset }: { path: string; dataset: DatasetDescription },
): void {
  const { layout, filters, shape, hasExternalStorage } = dataset
  if (layout.kind === 'virtual') throw outOfFile(facts, { path, kind: 'virtual dataset' })
  if (hasExternalStorage) throw outOfFile(facts, { path, kind: 'external storage' })
  for (const { id } of filters) {
    if (!filterNames.has(id)) {
      throw refuse(facts, {
        path,
        code: 'HDF5_FILTER',
        problem: `it is compressed with filter ${id}, which is not accepted`,
      })
    }
  }
  if (filters.filter(({ id }) => isCompressor(id)).length > 1) {
    throw refuse(facts, { path, code: 'HDF5_FILTER', problem: 'it is compressed more than once' })
  }
  const elementBytes = elementSize(dataset)
  const declared = (shape ?? []).reduce(
    (product, extent) => product * extent,
    shape === null ? 0 : elementBytes,
  )
  if (declared > facts.limits.declaredFloor && declared > facts.limits.declaredRatio * facts.size) {
    const problem = `it declares ${declared} bytes in a file of ${facts.size}`
    throw refuse(facts, { path, code: 'HDF5_DECLARED_SIZE', problem })
  }
  if (layout.kind === 'chunked') {
    const chunkBytes = layout.chunk.reduce((product, extent) => product * extent, layout.elementBytes)
    if (chunkBytes > facts.limits.chunkBytes) {
      throw refuse(facts, { path, code: 'HDF5_CHUNK_SIZE', problem: `one chunk holds ${chunkBytes} bytes` })
    }
  }
}

/** Bytes of one element from the datatype message: its size field lies at byte 4. A shared type is at least 1. */
function elementSize({ datatype, datatypeIsShared, layout }: DatasetDescription): number {
  if (layout.kind === 'chunked') return layout.elementBytes
  if (datatypeIsShared || datatype.length < 8) return 1
  return new DataView(datatype.buffer, datatype.byteOffset).getUint32(4, true)
}

function outOfFile(facts: FileFacts, { path, kind }: { path: string; kind: string }): BadInput {
  return new BadInput(
    'HDF5_POINTS_OUTSIDE',
    `${facts.place}:${path}`,
    `it points at another file (${kind}${kind === 'external' || kind === 'user' ? ' link' : ''})`,
    'Store the data in the file itself: read it in Python and write it again with `adata.write_h5ad`',
  )
}

function refuse(
  facts: FileFacts,
  { path, code, problem }: { path: string; code: string; problem: string },
): BadInput {
  return new BadInput(
    code,
    `${facts.place}:${path}`,
    problem,
    'Write the file again with h5py or anndata and their default settings',
  )
}
