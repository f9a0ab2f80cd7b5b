import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

it.each(['docs/files.md', 'docs/annotate.md', 'docs/acquire.md', 'docs/map-atlas.md'])(
  '%s names only codes that are given',
  (path) => {
    const page = readFileSync(join(root, path), 'utf8')
    const table = page.slice(page.indexOf('| code |'))
    const codes = [...table.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((match) => match[1]!)
    const names = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
    const source = names
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(join(root, 'lib', name), 'utf8'))
      .join('\n')
    expect(codes.length).toBeGreaterThan(15)
    expect(codes.filter((code) => !source.includes(`'${code}'`))).toEqual([])
  },
)
