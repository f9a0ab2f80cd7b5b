/** Twin: what lies in a folder and in a bucket; law: patterns as a slow matcher understands them. */
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { discover, matchesPattern, shownSize } from '../../lib/references/discover.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const environment = { CELLDROP_LOCAL_FILES: '1' }

describe('discover', () => {
  it('tells of each file of a folder its path, size and date, and of folders below only when asked', async () => {
    await using folder = await temporaryFolder()
    await mkdir(join(folder.path, 'sub'))
    for (const [name, size] of [
      ['a.h5ad', 3],
      ['b.txt', 1],
      ['sub/c.h5ad', 2048],
    ] as const) {
      const path = join(folder.path, name)
      await writeFile(path, Buffer.alloc(size))
      await utimes(path, 1_700_000_000, 1_700_000_000)
    }
    expect(await discover(folder.path, { environment })).toEqual([
      {
        path: join(folder.path, 'a.h5ad'),
        name: 'a.h5ad',
        bytes: 3,
        size: '3 B',
        storage: 'local',
        modified: '2023-11-14T22:13:20.000Z',
      },
    ])
    const all = await discover(folder.path, { environment, recursive: true, pattern: '*' })
    expect(all.map(({ name, size }) => [name, size])).toEqual([
      ['a.h5ad', '3 B'],
      ['b.txt', '1 B'],
      ['c.h5ad', '2.0 KB'],
    ])
  })

  it.each([
    ['/no/such/folder', 'FOLDER_MISSING'],
    ['https://example.com/x', 'LISTING_UNSUPPORTED'],
    ['ftp://example.com', 'LOCATION_UNSUPPORTED'],
  ])('refuses %s as %s', async (location, code) => {
    await expect(discover(location, { environment })).rejects.toMatchObject({ code })
  })

  it('refuses a pattern that is none', async () => {
    for (const pattern of ['', 'a/b', '*'.repeat(201)])
      await expect(discover('.', { environment, pattern })).rejects.toMatchObject({ code: 'PATTERN' })
  })

  it('matches as every way of filling the stars does', () => {
    const slow = (name: string, pattern: string): boolean => {
      if (pattern === '') return name === ''
      if (pattern[0] === '*')
        return slow(name, pattern.slice(1)) || (name !== '' && slow(name.slice(1), pattern))
      return (
        name !== '' && (pattern[0] === '?' || pattern[0] === name[0]) && slow(name.slice(1), pattern.slice(1))
      )
    }
    const text = (letters: string[]) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 8 })
    fc.assert(
      fc.property(text(['a', 'b', '*']), text(['a', 'b', '*', '?']), (name, pattern) => {
        expect(matchesPattern(name, pattern)).toBe(slow(name, pattern))
      }),
    )
    expect(matchesPattern('a'.repeat(1000), `${'*a'.repeat(99)}b`)).toBe(false)
  })

  it('counts in steps of 1024', () => {
    expect([0, 1023, 1024, 1_288_490_189].map(shownSize)).toEqual(['0 B', '1023 B', '1.0 KB', '1.2 GB'])
  })
})
