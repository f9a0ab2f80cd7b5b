/**
 * The worker that holds one untrusted file: our own parser decides what may be touched, the library reads values.
 * It answers one question at a time. A refusal is an answer; any other error tells the main thread to end this worker.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { BadInput } from '../../job/errors.ts'
import { openSyncBytes } from './blocks.ts'
import { plainFilters } from './filters.ts'
import { boundedRead, type ReadBytes } from './format/bytes.ts'
import { chunksInRows } from './format/chunks.ts'
import { readSuperblock } from './format/superblock.ts'
import { referenceBytes } from './global-heap.ts'
import { type DatasetType, type Library, openLibrary } from './library.ts'
import { type FoundObject, filterNames, type ObjectWalk, walkObjects } from './objects.ts'
import type {
  FromWorker,
  OperationName,
  Operations,
  PlainStorage,
  ToWorker,
  WorkerSetup,
} from './protocol.ts'
import { readText } from './text-read.ts'
import { openWasmFile, type PluginName, type WasmFile } from './wasm.ts'

const setup = workerData as WorkerSetup
const answer = (message: FromWorker, transfer: ArrayBuffer[] = []): void =>
  parentPort?.postMessage(message, transfer)
const bytes = openSyncBytes(setup, (range) => answer({ fetch: range }))
const readBytes: ReadBytes = (offset, length) => {
  const piece = new Uint8Array(Math.max(0, Math.min(length, setup.size - offset)))
  bytes.readInto(piece, offset)
  return piece
}
const read = boundedRead(readBytes, setup.size)

let walk: ObjectWalk | undefined
let library: Library | undefined
let wasm: WasmFile | undefined
const types = new Map<string, DatasetType>()

const operations: { [Name in OperationName]: (...args: Parameters<Operations[Name]>) => unknown } = {
  async open() {
    const { place, size, limits } = setup
    const { rootAddress } = readSuperblock(readBytes, size)
    walk = walkObjects({ read, size, rootAddress, place, limits })
    wasm = await openWasmFile(bytes, size)
    library = openLibrary(wasm, { place, limits })
  },
  node(path) {
    const found = opened().walk.find(path)
    if (found === undefined) return undefined
    const attributes = opened().library.attributes(found.path)
    if (found.links !== undefined)
      return { kind: 'group', path, attributes, children: [...found.links.keys()] }
    if (found.dataset === undefined) return undefined
    const type = typeOf(found)
    const filters = found.dataset.filters.map(({ id }) => filterNames.get(id) ?? String(id))
    const chunks = type.chunks === null ? {} : { chunks: type.chunks }
    return {
      kind: 'array',
      path,
      attributes,
      element: type.layout.element,
      shape: type.shape,
      filters,
      ...chunks,
    }
  },
  read(path, range) {
    const found = dataset(path)
    const type = typeOf(found)
    for (const { id } of found.dataset?.filters ?? []) addPlugin(id)
    const rows = type.shape?.[0]
    if (type.shape === null)
      return opened().library.read(found.path, { type: { ...type, shape: [0] }, range: { from: 0, to: 0 } })
    const text = plainText(found, type)
    if (text !== undefined && rows !== undefined) {
      const wanted = checkRange(path, { range: range ?? { from: 0, to: rows }, rows })
      return readText({
        read,
        layout: text.layout,
        filters: text.filters,
        range: wanted,
        limits: setup.limits,
      })
    }
    const whole = rows === undefined ? null : { from: 0, to: rows }
    return opened().library.read(found.path, {
      type,
      range: range === null || rows === undefined ? whole : checkRange(path, { range, rows }),
    })
  },
  storage: (path) => plainStorage(dataset(path)),
  chunks(path, range) {
    const layout = dataset(path).dataset?.layout
    if (layout?.kind !== 'chunked') throw new Error('not stored in chunks')
    const chunks = chunksInRows(read, layout, range)
    for (const { address, storedBytes, offset } of chunks) {
      if (address + storedBytes > setup.size) throw damagedChunk(path)
      // with this, as many chunks as there are places means that none is missing
      if (offset.some((start, axis) => start >= (layout.shape[axis] ?? 0))) throw damagedChunk(path)
    }
    return chunks
  },
  audit: () => opened().walk.visitAll(),
}

function opened(): { walk: ObjectWalk; library: Library } {
  if (walk === undefined || library === undefined) throw new Error('the file is not open')
  return { walk, library }
}

function dataset(path: string): FoundObject {
  const found = opened().walk.find(path)
  if (found?.dataset === undefined) throw new Error(`no data at ${path}`)
  return found
}

function typeOf(found: FoundObject): DatasetType {
  let type = types.get(found.path)
  if (type === undefined) {
    type = opened().library.describe(found.path)
    types.set(found.path, type)
  }
  return type
}

function checkRange(path: string, { range, rows }: { range: { from: number; to: number }; rows: number }) {
  if (!(range.from >= 0 && range.from <= range.to && range.to <= rows)) {
    throw new BadInput(
      'ELEMENT_DAMAGED',
      `${setup.place}:${path}`,
      `rows ${range.from} to ${range.to} are wanted, ${rows} are there`,
      'The stored parts contradict each other: write the file again from the program that made it',
    )
  }
  return range
}

const plugins = new Set<number>()

function addPlugin(id: number): void {
  if (id < 256 || plugins.has(id)) return
  plugins.add(id)
  const name = filterNames.get(id)
  if (name !== undefined) wasm?.addPlugin(name as PluginName)
}

function plainStorage(found: FoundObject): PlainStorage | null {
  const { layout, shape, littleEndian } = typeOf(found)
  const stored = found.dataset
  if (stored === undefined || shape === null || shape.length === 0) return null
  if (!['number', 'boolean'].includes(layout.element.kind)) return null
  if (!littleEndian && layout.size > 1) return null
  const filters = plainFilters(stored.filters)
  if (filters === undefined) return null
  const plain = { elementBytes: layout.size, shape, filters }
  if (stored.layout.kind === 'chunked') {
    if (stored.layout.elementBytes !== layout.size || stored.layout.chunk.length !== shape.length) return null
    return { ...plain, layout: { kind: 'chunked', chunk: stored.layout.chunk } }
  }
  const bytes = shape.reduce((product, extent) => product * extent, layout.size)
  if (
    stored.layout.kind !== 'contiguous' ||
    stored.layout.address === undefined ||
    stored.layout.size < bytes
  )
    return null
  if (stored.layout.address + bytes > setup.size) throw damagedChunk(found.path)
  return { ...plain, layout: { kind: 'contiguous', address: stored.layout.address } }
}

/** Lists of text whose stored bytes we can take apart: the lzf plugin cannot expand them, and the library is slower. */
function plainText({ dataset }: FoundObject, { layout, shape }: DatasetType) {
  const filters = dataset && plainFilters(dataset.filters)
  if (filters === undefined || filters.includes('blosc')) return undefined
  if (layout.text?.variable !== true || shape?.length !== 1) return undefined
  const stored = dataset?.layout
  if (stored?.kind === 'chunked' && stored.elementBytes === referenceBytes) return { layout: stored, filters }
  return stored?.kind === 'contiguous' ? { layout: stored, filters } : undefined
}

function damagedChunk(path: string): BadInput {
  return new BadInput(
    'HDF5_TRUNCATED',
    `${setup.place}:${path}`,
    'its values lie beyond the end of the file',
    'Copy or download the file again',
  )
}

function transferables(value: unknown): ArrayBuffer[] {
  return ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : []
}

parentPort?.on('message', async ({ id, operation, args }: ToWorker) => {
  try {
    const run = operations[operation] as (...args: unknown[]) => unknown
    const value = await run(...args)
    answer({ id, value }, transferables(value))
  } catch (error) {
    if (error instanceof BadInput) answer({ id, refused: withPlace(error) })
    else answer({ id, crashed: error instanceof Error ? error.message : String(error) })
  }
})

/** The parser knows byte positions only; the file's name belongs in front of them. */
function withPlace(error: BadInput) {
  const { code, place, problem, remedy } = error
  return place.startsWith(setup.place)
    ? error.toJSON()
    : { code, place: setup.place, problem: `${problem} (${place})`, remedy }
}
