/**
 * The version of the code: a hash of everything that can change what a step writes. It is part of the key of every step, so that a new
 * version never takes up what an older one left half done.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const parts = ['lib', 'functions', 'containers', 'package-lock.json']

/** @returns 16 hexadecimal digits; the stacks and the command line, which run no step, are left out */
export function codeVersion(root: string): string {
  const hash = createHash('sha256')
  for (const path of parts.flatMap((part) => filesUnder(root, part))) {
    if (/^lib\/(?:stacks|local)\//.test(path)) continue
    const content = readFileSync(join(root, path))
    hash.update(`${path}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex').slice(0, 16)
}

function filesUnder(root: string, part: string): string[] {
  if (part.includes('.')) return [part]
  const entries = readdirSync(join(root, part), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll('\\', '/'),
    )
    .sort()
}
