import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { layers, owners } from './imports.ts'

const root = resolve(import.meta.dirname, '../..')

function sources(): { path: string; text: string }[] {
  const names = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
  return names
    .filter((name) => name.endsWith('.ts'))
    .map((name) => ({
      path: `lib/${name.replaceAll('\\', '/')}`,
      text: readFileSync(join(root, 'lib', name), 'utf8'),
    }))
}

function importsOf(text: string): string[] {
  const found = text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)
  return [...found].map((match) => match[1]!)
}

function folderOf(path: string): string {
  return path.split('/').slice(0, 2).join('/')
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

describe('the import table', () => {
  const files = sources()

  it('has a row for every folder of lib and no other', () => {
    const folders = [...new Set(files.map(({ path }) => folderOf(path)))].sort()
    expect(Object.keys(layers).sort()).toEqual(folders)
  })

  it('lets a folder import only itself and the folders in its row', () => {
    const wrong = files.flatMap(({ path, text }) =>
      importsOf(text)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) =>
          folderOf(relative(root, resolve(root, dirname(path), specifier)).replaceAll('\\', '/')),
        )
        .filter((target) => target !== folderOf(path) && !layers[folderOf(path)]?.includes(target))
        .map((target) => `${path} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  it('lets only one folder import h5wasm, the S3 client and the other owned packages', () => {
    const wrong = files.flatMap(({ path, text }) =>
      importsOf(text)
        .map(packageOf)
        .filter((name) => owners[name] !== undefined && owners[name] !== folderOf(path))
        .map((name) => `${path} imports ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('runs downwards only: no folder can reach itself through others', () => {
    const reach = (folder: string): string[] =>
      (layers[folder] ?? []).flatMap((next) => [next, ...reach(next)])
    for (const folder of Object.keys(layers)) expect(reach(folder)).not.toContain(folder)
  })

  it('is quoted row for row in ARCHITECTURE.md', () => {
    const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
    for (const [folder, allowed] of Object.entries(layers)) {
      const row = `| \`${folder}\` | ${allowed.map((name) => `\`${name}\``).join(', ') || 'nothing'} |`
      expect(page).toContain(row)
    }
  })
})

describe('the rules of the house', () => {
  const files = sources()

  it('keeps randomness and the clock out of lib: both are arguments', () => {
    const wrong = files
      .filter(({ text }) => /Math\.random|Date\.now|new Date\(\)/.test(text))
      .map(({ path }) => path)
    expect(wrong).toEqual([])
  })

  it('imports nothing from outside of the repository', () => {
    const wrong = files
      .filter(({ path, text }) =>
        importsOf(text).some(
          (name) =>
            name.startsWith('.') && relative(root, resolve(root, dirname(path), name)).startsWith('..'),
        ),
      )
      .map(({ path }) => path)
    expect(wrong).toEqual([])
  })

  it('names every error class by a literal, which a minifier cannot change', () => {
    const classes = files.flatMap(({ text }) => [
      ...text.matchAll(/class (\w+) extends (?:CodedError|Error)\b[^{]*\{([^}]*)/g),
    ])
    const wrong = classes.filter(
      ([, name, body]) => !body!.includes(`name = '${name}'`) && name !== 'CodedError',
    )
    expect(wrong.map(([, name]) => name)).toEqual([])
    expect(classes.length).toBeGreaterThan(3)
  })
})
