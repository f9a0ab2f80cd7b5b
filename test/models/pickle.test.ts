/** Laws: what is written is read back; hostile pickles run nothing and end in a coded error. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BadInput } from '../../lib/job/errors.ts'
import { celltypistNames } from '../../lib/models/celltypist-names.ts'
import { float64Array, readNumbers, readTexts, textArray } from '../../lib/models/pickle-numpy.ts'
import { readPickle } from '../../lib/models/pickle-read.ts'
import { dict, float, type PickleObject, type PickleValue } from '../../lib/models/pickle-values.ts'
import { writePickle } from '../../lib/models/pickle-write.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const options = { place: 'model.pkl', allowed: celltypistNames }
const read = (...parts: (string | number[])[]): PickleValue => readPickle(bytesOf(...parts), options)

/** Text as its bytes, and numbers as they are; protocol 4 in front. */
function bytesOf(...parts: (string | number[])[]): Uint8Array {
  return Uint8Array.from([
    0x80,
    4,
    ...parts.flatMap((part) => (typeof part === 'string' ? [...Buffer.from(part)] : part)),
  ])
}

const refused = (code: string, problem: RegExp) =>
  expect.objectContaining({ name: 'BadInput', code, problem: expect.stringMatching(problem) })

const values = fc.letrec<{ value: PickleValue; items: PickleValue[] }>((tie) => ({
  items: fc.array(tie('value'), { maxLength: 4 }),
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.integer(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.double().map(float),
    tie('items').map((items): PickleValue => ({ kind: 'list', items })),
    tie('items').map((items): PickleValue => ({ kind: 'tuple', items })),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 4 }).map(dict),
    fc.constantFrom(...celltypistNames).map((name): PickleValue => ({ kind: 'global', name })),
    fc
      .record({
        via: fc.constantFrom('call' as const, 'new' as const),
        name: fc.constantFrom(...celltypistNames),
        args: tie('items'),
        state: fc.option(tie('value'), { nil: undefined }),
      })
      .map((parts): PickleValue => ({ kind: 'object', ...parts })),
  ),
}))

describe('values', () => {
  test('what is written is read back', () => {
    fc.assert(
      fc.property(values.value, (value) => {
        expect(readPickle(writePickle(value), options)).toEqual(value)
      }),
    )
  })

  test('of protocol 2 they are read back too; bytes, which it lacks, as what Python encodes', () => {
    const inTwo = (value: PickleValue) => {
      const pickle = writePickle(value, { protocol: 2 })
      expect(pickle[1]).toBe(2)
      return readPickle(pickle, { place: 'model.pt', allowed: 'any' })
    }
    const call = { kind: 'object', via: 'call', state: undefined } as const
    const ordered: PickleObject = {
      ...call,
      name: 'collections.OrderedDict',
      args: [],
      entries: new Map([['a', 1]]),
    }
    const value = dict([
      ['x', ordered],
      ['y', { kind: 'persistent', id: { kind: 'tuple', items: ['storage', '0'] } }],
      ['z', { kind: 'list', items: [null, true, 2 ** 40, 'T γδ', float(0.1)] }],
    ])
    expect(inTwo(value)).toEqual(value)
    expect(inTwo(Uint8Array.of(98, 255))).toEqual({
      ...call,
      name: '_codecs.encode',
      args: ['b\u00ff', 'latin1'],
    })
    expect(readNumbers(inTwo(float64Array(Float64Array.of(1, -2.5), [2])), 'x').values).toEqual(
      Float64Array.of(1, -2.5),
    )
  })

  test('any name may occur where the caller says so; it is told, and keys that are no text are left out', () => {
    const met = new Set<string>()
    const pickle = bytesOf('}cposix\nsystem\n)R', [0x94], 'K\x01K\x02sX', [1, 0, 0, 0], 'aK\x03s.')
    expect(
      readPickle(bytesOf('}', 'K\x01K\x02s', 'X', [1, 0, 0, 0], 'a', 'K\x03s.'), {
        place: 'x',
        allowed: 'any',
      }),
    ).toEqual(dict([['a', 3]]))
    expect(() => readPickle(pickle, { place: 'x', allowed: 'any', met })).toThrow(BadInput)
    expect([...met]).toEqual(['posix.system'])
  })

  test('a value that was remembered stands again where it is recalled', () => {
    expect(read('](', 'K\x07', [0x94], 'h\x00', 'e.')).toEqual({ kind: 'list', items: [7, 7] })
  })

  test('whole numbers of up to 64 bits are read, and those beyond 2^53 refused', () => {
    expect(read([0x8a, 1, 0xff], '.')).toBe(-1)
    expect(read([0x8a, 0], '.')).toBe(0)
    expect(() => read([0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0x70], '.')).toThrow(refused('MODEL_CORRUPT', /2\^53/))
  })
})

describe('arrays of numpy', () => {
  test('numbers and names are read back as they were written', () => {
    const written = readPickle(
      writePickle(float64Array(Float64Array.of(1, 2.5, -0, 1e-300), [2, 2])),
      options,
    )
    expect(readNumbers(written, 'x')).toEqual({ shape: [2, 2], values: Float64Array.of(1, 2.5, -0, 1e-300) })
    const names = readPickle(writePickle(textArray(['B cell', 'T γδ'])), options)
    expect(readTexts(names, 'x')).toEqual(['B cell', 'T γδ'])
  })

  const arrayWith = (change: (state: PickleValue[]) => void): PickleObject => {
    const array = float64Array(Float64Array.of(1, 2, 3, 4), [2, 2])
    const state = array.state as Extract<PickleValue, { kind: 'tuple' }>
    change(state.items)
    return array
  }

  test('arrays in columns are turned into rows', () => {
    const array = arrayWith((state) => {
      state[3] = true
    })
    expect(readNumbers(array, 'x').values).toEqual(Float64Array.of(1, 3, 2, 4))
  })

  test('a shape that promises more than there is is refused before anything is made of it', () => {
    const array = arrayWith((state) => {
      state[1] = { kind: 'tuple', items: [2 ** 40, 2 ** 40] }
    })
    expect(() => readNumbers(array, 'x')).toThrow(refused('MODEL_CORRUPT', /holds 4/))
  })

  test('text of fixed width is read up to its padding', () => {
    const dtype: PickleValue = {
      kind: 'object',
      via: 'call',
      name: 'numpy.dtype',
      args: ['U3', false, true],
      state: { kind: 'tuple', items: [3, '<', null, null, null, 12, 4, 8] },
    }
    const array = arrayWith((state) => {
      state[1] = { kind: 'tuple', items: [2] }
      state[2] = dtype
      state[4] = Uint8Array.from(Buffer.from('B\0\0\0\0\0\0\0\0\0\0\0N\0\0\0K\0\0\0\xb3\x03\0\0', 'latin1'))
    })
    expect(readTexts(array, 'x')).toEqual(['B', 'NKγ'])
  })
})

describe('hostile pickles', () => {
  test('a call of os.system is refused by its name, and nothing was run', async () => {
    await using folder = await temporaryFolder()
    const proof = join(folder.path, 'ran')
    const command = `touch ${proof}`
    const argument = ['X', [command.length, 0, 0, 0], command, [0x85], 'R.']
    expect(() => read('cposix\nsystem\n', ...argument)).toThrow(refused('MODEL_UNSAFE', /"posix\.system"/))
    const byStack = ['X', [2, 0, 0, 0], 'os', 'X', [6, 0, 0, 0], 'system', [0x93]]
    expect(() => read(...byStack, ...argument)).toThrow(refused('MODEL_UNSAFE', /"os\.system"/))
    expect(() => read('cbuiltins\neval\n', ...argument)).toThrow(refused('MODEL_UNSAFE', /"builtins\.eval"/))
    expect(() => read('csklearn.linear_model._logistic\nos.system\n', ...argument)).toThrow(
      refused('MODEL_UNSAFE', /os\.system/),
    )
    expect(existsSync(proof)).toBe(false)
  })

  test.each([
    ['INST', '(iposix\nsystem\n.'],
    ['OBJ', '(o.'],
    ['PERSID', 'Ps3\n.'],
    ['BINPERSID', 'NQ.'],
  ])('the opcode %s is refused by its name', (name, pickle) => {
    expect(() => read(pickle)).toThrow(refused('MODEL_UNSAFE', new RegExp(`opcode ${name}$|opcode ${name};`)))
  })

  test.each([
    ['EXT1', [0x82, 1]],
    ['NEWOBJ_EX', [0x92]],
    ['NEXT_BUFFER', [0x97]],
  ])('the opcode %s too', (name, pickle) => {
    expect(() => read(pickle, '.')).toThrow(refused('MODEL_UNSAFE', new RegExp(`opcode ${name}`)))
  })

  test('a name out of the file is printed in plain letters, and cut', () => {
    const name = '\u001b[2Jos‮'
    const bytes = [...Buffer.from(name)]
    const text = (content: number[]): (string | number[])[] => [
      'X',
      [content.length & 255, content.length >> 8, 0, 0],
      content,
    ]
    expect(() => read(...text(bytes), ...text([120]), [0x93, 46])).toThrow(
      refused('MODEL_UNSAFE', /"\\u001b\[2Jos\\u202e\.x"/),
    )
    expect(() => read(...text(new Array<number>(300).fill(97)), ...text([120]), [0x93, 46])).toThrow(
      refused('MODEL_UNSAFE', /^.{0,200}$/),
    )
  })

  test.each<[string, (string | number[])[]]>([
    ['bytes longer than the file', ['B', [255, 255, 255, 255], '.']],
    ['bytes of a length beyond all numbers', [[0x8e, 255, 255, 255, 255, 255, 255, 255, 255], '.']],
    ['a frame longer than the file', [[0x95, 255, 255, 0, 0, 0, 0, 0, 0], 'N.']],
    ['a value that was never remembered', ['h\x05.']],
    ['an empty stack', ['.']],
    ['two values', ['NN.']],
    ['an open mark', ['(N.']],
    ['a mark that is not there', ['N0e.']],
    ['taking from under a mark', ['N(0.']],
    ['a key that is no text', ['}K\x01K\x02s.']],
    ['a call of what is no class', ['K\x01)R.']],
    ['a state for a list', ['])b.']],
    ['a name without an end', ['cos']],
    ['text that is not UTF-8', ['X', [1, 0, 0, 0, 255], '.']],
    ['a byte that is no opcode', [[255], '.']],
    ['bytes behind the end', ['N.N']],
    ['no end', ['N']],
  ])('%s: MODEL_CORRUPT', (_, parts) => {
    expect(() => read(...parts)).toThrow(refused('MODEL_CORRUPT', /./))
  })

  test('what is no pickle, or one of a protocol that does not exist, is MODEL_CORRUPT', () => {
    for (const bytes of [[], [0x89, 72, 68, 70], [0x80, 9, 78, 46]])
      expect(() => readPickle(Uint8Array.from(bytes), options)).toThrow(refused('MODEL_CORRUPT', /pickle/))
  })

  test('millions of empty parts are too many', () => {
    const lists = new Uint8Array(5_000_000).fill(0x5d)
    lists.set([0x80, 4])
    expect(() => readPickle(lists, options)).toThrow(refused('MODEL_TOO_LARGE', /parts/))
  })
})
