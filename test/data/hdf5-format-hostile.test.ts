/** Damage behind right checksums, as only a crafted file has it: checks of checksums are left out here. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { expect, it, vi } from 'vitest'
import { type ReadBytes, readExactly } from '../../lib/data/hdf5/format/bytes.ts'
import { BadInput } from '../../lib/job/errors.ts'
import { parseWhole } from '../support/hdf5-parser.ts'

vi.mock(import('../../lib/data/hdf5/format/checksum.ts'), async (importOriginal) => ({
  ...(await importOriginal()),
  checkedPiece: (read: ReadBytes, { address, length }: { address: number; length: number }) =>
    readExactly(read, { offset: address, length }).subarray(0, -4),
}))

const original = readFileSync(resolve(import.meta.dirname, '../fixtures/formats/latest.h5ad'))

/** Every byte of the structures that carry checksums, 256 from each signature on. */
const places = ['OHDR', 'OCHK', 'FRHP', 'FHDB', 'FHIB', 'BTHD', 'BTLF', 'BTIN', 'FAHD', 'FADB'].flatMap(
  (name) => {
    const starts = [...original.keys()].filter((i) => original.toString('latin1', i, i + 4) === name)
    return starts.flatMap((start) => Array.from({ length: 256 }, (_, i) => start + i))
  },
)

it('changed bytes in newer structures are read or refused, and never lead into a circle', () => {
  expect(places.length).toBeGreaterThan(10_000)
  const change = fc.tuple(fc.constantFrom(...places), fc.constantFrom(0, 1, 2, 7, 0x40, 0x7f, 0x80, 0xff))
  let refused = 0
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = Uint8Array.from(original)
      for (const [place, value] of changes) bytes[place] = value
      try {
        parseWhole(bytes)
      } catch (error) {
        if (!(error instanceof BadInput)) throw error
        refused++
      }
    }),
    { numRuns: 3000 },
  )
  expect(refused).toBeGreaterThan(100)
})
