/**
 * Reads what `torch.save` writes (PyTorch 1.6 and later): a zip of one pickle and of storages, the raw little-endian bytes of tensors. Nothing of
 * it is run (pickle-read.ts): tensors, arrays and dictionaries are understood, every other class stays a name.
 *
 * Trap: a tensor is a view of a storage by offset and strides, and all three come from the file. Nothing is made before they were compared
 * with the bytes that are there, so what a file costs is bounded by its size.
 */
import type { ByteSource } from '../data/source.ts'
import { readZipDirectory, readZipEntry, type ZipEntry } from '../data/zip.ts'
import { BadInput } from '../job/errors.ts'
import { corrupt, shown, unsupported } from './model-errors.ts'
import { readPickle } from './pickle-read.ts'
import { ofKind, type PickleValue } from './pickle-values.ts'
import { readTensorView, type StorageType, type TensorView, type TorchTensor } from './torch-tensor.ts'

export interface TorchArchive {
  readonly place: string
  /** what was saved */
  readonly root: PickleValue
  /** 'module.name' of every class and function that it names */
  readonly names: ReadonlySet<string>
  /**
   * A tensor of it, made contiguous.
   * @throws BadInput MODEL_CORRUPT where it is none or lies outside of its storage, MODEL_UNSUPPORTED for other kinds of numbers,
   * MODEL_TOO_LARGE, ZIP_DAMAGED
   */
  tensor(value: PickleValue | undefined, name: string): Promise<TorchTensor>
}

const mostEntries = 100_000
/** a model of 60,000 genes needs 150,000, and two for each cell where the labels of all cells lie with it */
const mostOperations = 30_000_000
const longestPickle = 512 * 2 ** 20
/** of all tensors that are asked for */
const mostBytes = 4 * 2 ** 30
const zipStart = 0x04034b50

/**
 * The source stays open until the last tensor was read; closing it is the caller's.
 * @throws BadInput MODEL_CORRUPT, MODEL_TOO_LARGE, MODEL_UNSUPPORTED, MODEL_UNSAFE, ZIP_DAMAGED, ZIP_UNSUPPORTED
 */
export async function openTorchArchive(source: ByteSource): Promise<TorchArchive> {
  const { place } = source
  const { entries, folder } = await directoryOf(source)
  await checkByteOrder(source, entries.get(`${folder}/byteorder`))
  const names = new Set<string>()
  const pickle = entries.get(`${folder}/data.pkl`)!
  if (pickle.size > longestPickle) throw tooLarge(place, `a pickle of ${pickle.size} bytes`)
  const bytes = await readZipEntry(source, { key: `${folder}/data.pkl`, entry: pickle })
  const root = readPickle(bytes, { place, allowed: 'any', met: names, mostOperations })
  let left = mostBytes
  return {
    place,
    root,
    names,
    async tensor(value, name) {
      const { storage, ...view } = viewOf(value, `${place}, ${name}`)
      const entry = entries.get(`${folder}/data/${storage.key}`)
      checkView({ storage, ...view }, { entry, place: `${place}, ${name}` })
      left -= entry!.size + view.length * storage.itemBytes
      if (left < 0) throw tooLarge(place, `tensors of more than ${mostBytes} bytes`)
      const all = await readZipEntry(source, { key: `${folder}/data/${storage.key}`, entry: entry! })
      return readTensorView(all, { type: storage.type, ...view })
    },
  }
}

async function directoryOf(
  source: ByteSource,
): Promise<{ entries: ReadonlyMap<string, ZipEntry>; folder: string }> {
  const { place } = source
  const start = source.size < 4 ? undefined : Buffer.from(await source.read(0, 4)).readUInt32LE(0)
  if (start !== zipStart) throw corrupt(place, 'this is no file of PyTorch 1.6 or later, which are zips')
  const { entries, repeated } = await readZipDirectory(source, {
    mostEntries,
    tooMany: () => tooLarge(place, `more than ${mostEntries} entries`),
    tooLarge: (problem) => tooLarge(place, problem),
  })
  // PyTorch writes each once; which of two a program reads differs
  if (repeated.length > 0) throw corrupt(place, `the entry "${shown(repeated[0]!)}" is there more than once`)
  const pickles = [...entries.keys()].filter((name) => /^[^/]*\/data\.pkl$/.test(name))
  if (pickles.length !== 1) throw corrupt(place, `${pickles.length} entries are called data.pkl, not one`)
  return { entries, folder: pickles[0]!.slice(0, -'/data.pkl'.length) }
}

async function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (entry === undefined) return
  const bytes = entry.size > 16 ? undefined : await readZipEntry(source, { key: 'byteorder', entry })
  const order = bytes && Buffer.from(bytes).toString('latin1')
  if (order !== 'little')
    throw unsupported(
      source.place,
      'its numbers lie with their bytes in reverse',
      'Save it again on an x86 or ARM machine',
    )
}

interface Storage {
  type: StorageType
  itemBytes: number
  key: string
  /** numbers in it */
  length: number
}

const storages: ReadonlyMap<string, { type: StorageType; itemBytes: number }> = new Map([
  ['torch.FloatStorage', { type: 'float32', itemBytes: 4 }],
  ['torch.DoubleStorage', { type: 'float64', itemBytes: 8 }],
  ['torch.LongStorage', { type: 'int64', itemBytes: 8 }],
  ['torch.IntStorage', { type: 'int32', itemBytes: 4 }],
  ['torch.ByteStorage', { type: 'uint8', itemBytes: 1 }],
  ['torch.BoolStorage', { type: 'uint8', itemBytes: 1 }],
])

function viewOf(
  value: PickleValue | undefined,
  place: string,
): Omit<TensorView, 'type'> & { storage: Storage; length: number } {
  const object = ofKind(value, 'object')
  if (
    object?.name === 'torch._utils._rebuild_parameter' &&
    ofKind(object.args[0], 'object')?.name !== object.name
  )
    return viewOf(object.args[0], place)
  if (object?.name !== 'torch._utils._rebuild_tensor_v2') throw corrupt(place, 'a tensor is missing')
  const [persistent, offset, size, stride] = object.args
  const storage = storageOf(ofKind(persistent, 'persistent')?.id, place)
  const shape = lengths(size, place)
  const strides = lengths(stride, place)
  if (shape.length !== strides.length || shape.length > 8 || !isLength(offset))
    throw corrupt(place, 'shape, strides and offset of the tensor do not fit together')
  return { storage, shape, strides, offset, length: shape.reduce((product, one) => product * one, 1) }
}

function storageOf(id: PickleValue | undefined, place: string): Storage {
  const [kind, type, key, , length] = ofKind(id, 'tuple')?.items ?? []
  const name = ofKind(type, 'global')?.name ?? ''
  if (kind !== 'storage' || typeof key !== 'string' || !/^\d{1,9}$/.test(key) || !isLength(length))
    throw corrupt(place, 'the tensor has no storage')
  const known = storages.get(name)
  if (known === undefined)
    throw unsupported(place, `numbers of the kind "${shown(name)}" are not read`, 'Save the model in float32')
  return { ...known, key, length }
}

function lengths(value: PickleValue | undefined, place: string): number[] {
  const items = ofKind(value, 'tuple')?.items
  if (items?.every(isLength) !== true) throw corrupt(place, 'the shape of the tensor is no shape')
  return items
}

const isLength = (value: PickleValue | undefined): value is number => typeof value === 'number' && value >= 0

function checkView(
  { storage, shape, strides, offset, length }: ReturnType<typeof viewOf>,
  { entry, place }: { entry: ZipEntry | undefined; place: string },
): void {
  if (entry === undefined) throw corrupt(place, `the storage ${storage.key} of the tensor is missing`)
  if (storage.length * storage.itemBytes !== entry.size)
    throw corrupt(place, `${storage.length} numbers should be in ${entry.size} bytes`)
  const last = shape.reduce((at, size, axis) => at + Math.max(0, size - 1) * strides[axis]!, offset)
  // a stride of 0 would make much of little
  if (length > storage.length || (length > 0 && last >= storage.length))
    throw corrupt(place, `a tensor of [${shape.join(', ')}] lies outside of its storage of ${storage.length}`)
}

function tooLarge(place: string, what: string): BadInput {
  return new BadInput('MODEL_TOO_LARGE', place, `the file has ${what}`, 'Give a smaller model file')
}
