/**
 * Writes what `torch.load` reads: a zip of stored entries with their checksums, one pickle of protocol 2 and the bytes of each tensor. Layout of
 * PyTorch 1.6 to 2.x, file version 3.
 */
import { storedZip } from '../data/zip-write.ts'
import { global, type PickleObject, type PickleValue, tuple } from './pickle-values.ts'
import { writePickle } from './pickle-write.ts'
import type { TorchTensor } from './torch-tensor.ts'

export interface TorchWriter {
  /** what stands for a tensor in the value that is saved */
  tensor(tensor: TorchTensor): PickleValue
  /** the file, all its tensors having been made by this writer */
  save(root: PickleValue): Uint8Array
}

const storageNames: Readonly<Record<TorchTensor['type'], string>> = {
  float32: 'torch.FloatStorage',
  float64: 'torch.DoubleStorage',
  int64: 'torch.LongStorage',
  int32: 'torch.IntStorage',
  uint8: 'torch.ByteStorage',
}

/** @param folder what the zip's entries lie in: PyTorch takes the name of the file without its ending */
export function torchWriter(folder: string): TorchWriter {
  const storages: Uint8Array[] = []
  return {
    tensor({ type, shape, data }) {
      const key = String(storages.length)
      storages.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
      const id = tuple('storage', global(storageNames[type]), key, 'cpu', data.length)
      const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((step, size) => step * size, 1))
      return called('torch._utils._rebuild_tensor_v2', [
        { kind: 'persistent', id },
        0,
        tuple(...shape),
        tuple(...strides),
        false,
        orderedDict([]),
      ])
    },
    save: (root) =>
      storedZip([
        { name: `${folder}/data.pkl`, bytes: writePickle(root, { protocol: 2 }) },
        ...storages.map((bytes, key) => ({ name: `${folder}/data/${key}`, bytes })),
        { name: `${folder}/version`, bytes: Buffer.from('3\n') },
      ]),
  }
}

function called(name: string, args: PickleValue[]): PickleObject {
  return { kind: 'object', via: 'call', name, args, state: undefined }
}

/** Python's dictionary that keeps its order, as state dicts are. */
export function orderedDict(entries: Iterable<readonly [string, PickleValue]>): PickleObject {
  return { ...called('collections.OrderedDict', []), entries: new Map(entries) }
}
