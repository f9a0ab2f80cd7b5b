/** The version of the code that runs, as part of every step's key: a step done by other code is done again. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
let version: string | undefined

/** sha256 over all that decides what a step computes, once a process. */
export function codeVersion(): string {
  version ??= hashOfSources(root)
  return version
}

export function hashOfSources(folder: string): string {
  const hash = createHash('sha256')
  const paths = ['lib', 'functions', 'containers'].flatMap((part) =>
    readdirSync(join(folder, part), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
  for (const path of [...paths, join(folder, 'package-lock.json')].sort()) {
    const content = readFileSync(path)
    hash.update(`${path.slice(folder.length)}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}
