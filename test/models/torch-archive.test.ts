/** Laws: tensors are read as PyTorch lays them out; what a hostile file says of itself is compared with its bytes, and nothing of it is run. */
import { deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { storedZip } from '../../lib/data/zip-write.ts'
import { random } from '../../lib/job/random.ts'
import {
  dict,
  entriesOf,
  global,
  ofKind,
  type PickleObject,
  type PickleValue,
  tuple,
} from '../../lib/models/pickle-values.ts'
import { writePickle } from '../../lib/models/pickle-write.ts'
import { openTorchArchive } from '../../lib/models/torch-archive.ts'
import { orderedDict, torchWriter } from '../../lib/models/torch-write.ts'
import { sourceOf } from './toy-scvi.ts'

const refused = (code: string, problem: RegExp) =>
  expect.objectContaining({ name: 'BadInput', code, problem: expect.stringMatching(problem) })

interface TensorParts {
  storage?: string
  key?: string
  numbers?: number
  offset?: PickleValue
  shape?: number[]
  strides?: number[]
}

/** What stands for a tensor, whatever it claims. */
function tensorValue(parts: TensorParts): PickleObject {
  const {
    storage = 'torch.FloatStorage',
    key = '0',
    numbers = 6,
    offset = 0,
    shape = [2, 3],
    strides = [3, 1],
  } = parts
  const id = tuple('storage', global(storage), key, 'cuda:0', numbers)
  return {
    kind: 'object',
    via: 'call',
    name: 'torch._utils._rebuild_tensor_v2',
    args: [{ kind: 'persistent', id }, offset, tuple(...shape), tuple(...strides), false, orderedDict([])],
    state: undefined,
  }
}

const six = Buffer.from(Float32Array.of(1, 2, 3, 4, 5, 6).buffer)

function archive(root: PickleValue, more: { name: string; bytes: Uint8Array }[] = []): Uint8Array {
  return storedZip([
    { name: 'm/data.pkl', bytes: writePickle(root, { protocol: 2 }) },
    { name: 'm/data/0', bytes: six },
    ...more,
  ])
}

async function tensorOf(parts: TensorParts, more: { name: string; bytes: Uint8Array }[] = []) {
  const value = tensorValue(parts)
  const opened = await openTorchArchive(sourceOf(archive(dict([['t', value]]), more)))
  return opened.tensor(entriesOf(opened.root)?.get('t'), 't')
}

describe('tensors of an archive', () => {
  it('come back as they were written, of every type and shape', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
        fc.constantFrom('float32', 'float64', 'int64', 'int32', 'uint8'),
        async (shape, type) => {
          const length = shape.reduce((product, size) => product * size, 1)
          const numbers = Array.from({ length }, (_, i) => i)
          const data = {
            float32: Float32Array.from(numbers),
            float64: Float64Array.from(numbers),
            int64: BigInt64Array.from(numbers, BigInt),
            int32: Int32Array.from(numbers),
            uint8: Uint8Array.from(numbers),
          }[type]
          const writer = torchWriter('model')
          const other = writer.tensor({ type: 'uint8', shape: [1], data: Uint8Array.of(7) })
          const tensor = writer.tensor({ type, shape, data } as Parameters<typeof writer.tensor>[0])
          const opened = await openTorchArchive(
            sourceOf(
              writer.save(
                orderedDict([
                  ['a', other],
                  ['b', tensor],
                ]),
              ),
            ),
          )
          expect(await opened.tensor(entriesOf(opened.root)?.get('b'), 'b')).toEqual({ type, shape, data })
        },
      ),
    )
  })

  it('that are views by offset and strides are made contiguous', async () => {
    const turned = await tensorOf({ shape: [3, 2], strides: [1, 3] })
    expect([...turned.data]).toEqual([1, 4, 2, 5, 3, 6])
    expect([...(await tensorOf({ offset: 1, shape: [2, 2], strides: [3, 1] })).data]).toEqual([2, 3, 5, 6])
    expect([...(await tensorOf({ offset: 5, shape: [], strides: [] })).data]).toEqual([6])
    expect([...(await tensorOf({ shape: [1, 6], strides: [999, 1] })).data]).toEqual([1, 2, 3, 4, 5, 6])
    expect((await tensorOf({ shape: [0, 9], strides: [9, 1] })).data).toHaveLength(0)
  })

  it('lie in a parameter too', async () => {
    const parameter = {
      ...tensorValue({}),
      name: 'torch._utils._rebuild_parameter',
      args: [tensorValue({}), true],
    }
    const opened = await openTorchArchive(sourceOf(archive(parameter)))
    expect([...(await opened.tensor(opened.root, 't')).data]).toEqual([1, 2, 3, 4, 5, 6])
  })

  it.each<[string, TensorParts]>([
    ['a storage that is not there', { key: '1' }],
    ['a storage by another name', { key: '../0' }],
    ['more numbers than bytes', { numbers: 7 }],
    ['fewer numbers than bytes', { numbers: 5, shape: [5], strides: [1] }],
    ['an offset beyond the end', { offset: 1 }],
    ['a negative offset', { offset: -1 }],
    ['an offset that is no number', { offset: 'x' }],
    ['strides beyond the end', { strides: [4, 1] }],
    ['negative strides', { strides: [-3, 1] }],
    ['strides of another number', { strides: [1] }],
    ['much made of little', { shape: [2 ** 40], strides: [0] }],
    [
      'lengths whose product is beyond all numbers',
      { shape: [2 ** 50, 2 ** 50, 0, 2 ** 50], strides: [1, 1, 1] },
    ],
    ['too many axes', { shape: new Array(40).fill(1), strides: new Array(40).fill(1) }],
  ])('%s: MODEL_CORRUPT', async (_, parts) => {
    await expect(tensorOf(parts)).rejects.toThrow(refused('MODEL_CORRUPT', /./))
  })

  it('of kinds of numbers that are not read are refused by their name', async () => {
    const half = tensorOf({ storage: 'torch.HalfStorage' })
    await expect(half).rejects.toThrow(refused('MODEL_UNSUPPORTED', /torch\.HalfStorage/))
  })
})

describe('archives', () => {
  it('whose entries are packed are read', async () => {
    const pickle = writePickle(dict([['t', tensorValue({})]]), { protocol: 2 })
    const bytes = packed([
      { name: 'm/data.pkl', bytes: pickle },
      { name: 'm/data/0', bytes: six },
    ])
    const opened = await openTorchArchive(sourceOf(bytes))
    expect([...(await opened.tensor(entriesOf(opened.root)?.get('t'), 't')).data]).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('tell every name that they hold, and run none', async () => {
    const call: PickleObject = {
      kind: 'object',
      via: 'call',
      name: 'posix.system',
      args: ['false'],
      state: undefined,
    }
    const { root, names } = await openTorchArchive(sourceOf(archive(dict([['x', call]]))))
    expect(ofKind(entriesOf(root)?.get('x'), 'object')?.name).toBe('posix.system')
    expect([...names]).toEqual(['posix.system'])
  })

  it.each<[string, Uint8Array, string, RegExp]>([
    ['no zip', Buffer.from('\x80\x02not a zip'), 'MODEL_CORRUPT', /PyTorch 1\.6/],
    ['nothing', new Uint8Array(0), 'MODEL_CORRUPT', /PyTorch 1\.6/],
    ['an entry twice', archive(null, [{ name: 'm/data/0', bytes: six }]), 'MODEL_CORRUPT', /more than once/],
    ['no pickle', storedZip([{ name: 'm/data/0', bytes: six }]), 'MODEL_CORRUPT', /0 entries/],
    ['two pickles', archive(null, [{ name: 'n/data.pkl', bytes: six }]), 'MODEL_CORRUPT', /2 entries/],
    ['no pickle in it', storedZip([{ name: 'm/data.pkl', bytes: six }]), 'MODEL_CORRUPT', /no pickle/],
    [
      'numbers in reverse',
      archive(null, [{ name: 'm/byteorder', bytes: Buffer.from('big') }]),
      'MODEL_UNSUPPORTED',
      /reverse/,
    ],
  ])('of %s are refused', async (_, bytes, code, problem) => {
    await expect(openTorchArchive(sourceOf(bytes))).rejects.toThrow(refused(code, problem))
  })

  it('that promise to unpack to more than they hold are refused without unpacking it', async () => {
    const bytes = packed([{ name: 'm/data.pkl', bytes: new Uint8Array(100_000) }], { claimed: 2 ** 31 })
    await expect(openTorchArchive(sourceOf(bytes))).rejects.toThrow(refused('MODEL_TOO_LARGE', /2147483648/))
    const short = packed([{ name: 'm/data.pkl', bytes: new Uint8Array(100_000) }], { claimed: 10 })
    await expect(openTorchArchive(sourceOf(short))).rejects.toThrow(refused('ZIP_DAMAGED', /size/))
  })

  it('with any bytes changed, or cut short, end in a coded refusal or in a value', async () => {
    const writer = torchWriter('model')
    const tensor = writer.tensor({ type: 'float32', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) })
    const whole = writer.save(orderedDict([['t', tensor]]))
    const chance = random(5)
    let refusals = 0
    for (let i = 0; i < 1500; i++) {
      const bytes = whole.slice(0, i % 3 === 0 ? chance.integer(whole.length) : whole.length)
      for (let n = chance.integer(4); n > 0 && bytes.length > 0; n--)
        bytes[chance.integer(bytes.length)] = chance.integer(256)
      try {
        const opened = await openTorchArchive(sourceOf(bytes))
        await opened.tensor(entriesOf(opened.root)?.get('t'), 't')
      } catch (error) {
        expect(error).toMatchObject({ name: 'BadInput' })
        refusals++
      }
    }
    expect(refusals).toBeGreaterThan(1000)
  })

  it('whose pickle is any bytes, with the right checksum, end so too', async () => {
    const whole = writePickle(
      orderedDict([
        ['t', tensorValue({})],
        ['u', dict([['v', tensorValue({})]])],
      ]),
      { protocol: 2 },
    )
    const chance = random(6)
    let values = 0
    for (let i = 0; i < 3000; i++) {
      const pickle = whole.slice()
      for (let n = 1 + chance.integer(3); n > 0; n--)
        pickle[chance.integer(pickle.length)] = chance.integer(256)
      const entries = [
        { name: 'm/data.pkl', bytes: pickle },
        { name: 'm/data/0', bytes: six },
      ]
      try {
        const opened = await openTorchArchive(sourceOf(storedZip(entries)))
        const tensors = entriesOf(opened.root)
        values++
        await opened.tensor(tensors?.get('t'), 't')
        await opened.tensor(entriesOf(tensors?.get('u'))?.get('v'), 'v')
      } catch (error) {
        expect(error).toMatchObject({ name: 'BadInput' })
      }
    }
    expect(values).toBeGreaterThan(100)
  })
})

/** The same entries deflated; `claimed` is what their table says of their sizes. */
function packed(
  entries: { name: string; bytes: Uint8Array }[],
  { claimed }: { claimed?: number } = {},
): Uint8Array {
  const sizes = entries.map(({ bytes }) => bytes.length)
  const bytes = Buffer.from(
    storedZip(entries.map(({ name, bytes }) => ({ name, bytes: deflateRawSync(bytes) }))),
  )
  const plain = Buffer.from(storedZip(entries))
  let [at, of] = [bytes.readUInt32LE(bytes.length - 6), plain.readUInt32LE(plain.length - 6)]
  for (const size of sizes) {
    bytes.writeUInt16LE(8, at + 10)
    bytes.writeUInt32LE(plain.readUInt32LE(of + 16), at + 16)
    bytes.writeUInt32LE(claimed ?? size, at + 24)
    const length = 46 + bytes.readUInt16LE(at + 28)
    at += length
    of += length
  }
  return bytes
}
