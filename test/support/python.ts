/** The Python that peers are checked against: one that has anndata. Tests skip without, and say so. */
import { execFileSync } from 'node:child_process'

export const pythonMissing =
  'no Python with anndata and h5py was found (Debian: python3-anndata python3-h5py)'

/** `CELLDROP_PYTHON`, Debian's, or the first on the path; undefined, and a printed reason, where none imports anndata. */
export function findPython(): string | undefined {
  const candidates = [process.env.CELLDROP_PYTHON, '/usr/bin/python3', 'python3']
  const found = candidates.find((command) => command !== undefined && importsAnndata(command))
  if (found === undefined) console.warn(`${pythonMissing}: checks against Python are skipped`)
  return found
}

function importsAnndata(command: string): boolean {
  try {
    execFileSync(command, ['-c', 'import anndata, h5py'], { stdio: 'ignore', timeout: 60_000 })
    return true
  } catch {
    return false
  }
}
