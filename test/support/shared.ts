/** Real data that lie beside the repository where it is developed; tests that want them skip elsewhere, and say so. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

const folder = resolve(import.meta.dirname, '../../../shared')

export const hasShared = existsSync(resolve(folder, 'data', 'MANIFEST.md'))

if (!hasShared)
  console.warn('real data are not beside this repository (../shared/data): tests that read them are skipped')

export function sharedPath(...parts: string[]): string {
  return resolve(folder, ...parts)
}
