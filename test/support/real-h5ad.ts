/** The h5ad files that checks run over: fixtures in rare layouts, and real ones where they are at hand. */
import { readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { hasShared, sharedPath } from './shared.ts'

const fixtures = resolve(import.meta.dirname, '../fixtures/formats')

/** Not AnnData: a git-LFS pointer, and MuData under the name of an h5ad. */
const others = ['git_lfs_pointer.h5ad', 'muon_h5mu_named_h5ad.h5ad']

export function h5adFiles(): string[] {
  const own = readdirSync(fixtures).filter((name) => name.endsWith('.h5ad'))
  const paths = own.map((name) => join(fixtures, name))
  if (!hasShared) return paths
  const real = readdirSync(sharedPath('data'), { recursive: true, encoding: 'utf8' })
  const wanted = real.filter((name) => name.endsWith('.h5ad') && !others.includes(basename(name)))
  return [...paths, ...wanted.map((name) => sharedPath('data', name))]
}
