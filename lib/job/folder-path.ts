/**
 * From key to path and back: a key is its own path below the folder, so that a person finds `jobs/x/report.html` where it says.
 *
 * The map is injective because nothing is ever renamed: a key whose path would be another key's, would leave the folder or passes
 * a symbolic link is refused. Trap: letter case and Unicode forms. `realpath` tells the true name on macOS and Windows, but not on
 * Linux, where a mounted Windows or FAT drive folds case too; there the names are read from the folder itself before a write.
 */
import { lstat, mkdir, readdir, realpath, rmdir } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import type { BadInput } from './errors.ts'
import { hasCode } from './folder-errors.ts'
import { checkKey, unsupportedKey } from './object-key.ts'

/** Unfinished writes carry this name; no key may, and no listing shows it. */
export const partPrefix = '.celldrop-part-'

const longestName = 255
const notOnWindows = /[<>:"|?*]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i

/** Path of a key, after all checks that need no look at the disk. @throws BadInput KEY_UNSUPPORTED */
export function keyPath(root: string, key: string): string {
  checkKey(root, key)
  const problem = key.split('/').map(nameProblem).find(Boolean)
  if (problem !== undefined) throw unsupportedKey(join(root, key), problem)
  return join(root, ...key.split('/'))
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'a folder cannot hold a name with an empty part (two slashes, or one at an end)'
  if (name.includes('\\')) return 'a backslash separates folders on some systems'
  if (Buffer.byteLength(name) > longestName) return `a part of the name is longer than ${longestName} bytes`
  if (name.startsWith(partPrefix)) return `names that begin with ${partPrefix} are unfinished writes`
  if (process.platform === 'win32' && notOnWindows.test(name)) return 'Windows cannot hold this name'
  return undefined
}

/** True when the path exists under exactly this name. @throws BadInput when it is reached by a link or in other letters */
export async function existsAsNamed(path: string): Promise<boolean> {
  let real: string
  try {
    real = await realpath(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) {
      await refuseLink(path)
      return false
    }
    if (hasCode(error, 'ELOOP')) throw linkRefused(path)
    throw error
  }
  if (real === path) return true
  await refuseLink(path)
  const problem = `the name leads to "${real}", by a symbolic link or in other letters`
  throw unsupportedKey(path, problem, 'Use the name and letters that the folder itself uses')
}

/** A dangling link is not "missing": the write through it would land elsewhere. */
async function refuseLink(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (found?.isSymbolicLink()) throw linkRefused(path)
}

function linkRefused(path: string): BadInput {
  return unsupportedKey(
    path,
    'the name is a symbolic link, which this program does not follow inside its folder',
    'Copy or hard-link the file into the folder, or give the folder that the link points to',
  )
}

/** Makes the folders above a path one by one, refusing links: a recursive mkdir would follow one out of the folder. */
export async function makeParents(root: string, path: string): Promise<void> {
  let folder = root
  for (const name of dirname(path).slice(root.length).split(sep).filter(Boolean)) {
    folder = join(folder, name)
    await mkdir(folder).catch((error) => {
      if (!hasCode(error, 'EEXIST')) throw error
    })
    const found = await lstat(folder)
    if (found.isSymbolicLink()) throw linkRefused(folder)
    if (found.isDirectory()) continue
    throw unsupportedKey(path, `"${folder}" is a file, and not a folder as well`, 'Rename one of the two')
  }
  await existsAsNamed(dirname(path))
}

/**
 * Readies the place of a write: empty folders left by removed objects give way, anything else in the way is refused.
 * `part` is the writer's own file beside it; that it answers to capital letters tells that the file system folds case.
 */
export async function clearTarget(root: string, path: string, part: string): Promise<void> {
  const found = (await existsAsNamed(path)) ? await lstat(path).catch(() => undefined) : undefined
  if (found?.isDirectory() && !(await removeEmpty(path))) {
    throw unsupportedKey(path, 'a folder has this name, and it is not empty', 'Rename one of the two')
  }
  const capitals = join(dirname(part), part.slice(dirname(part).length + 1).toUpperCase())
  if (await lstat(capitals).catch(() => undefined)) await checkLetters(root, path)
}

/** Every part of the path that exists must be listed in exactly these letters. */
async function checkLetters(root: string, path: string): Promise<void> {
  let folder = root
  for (const name of path.slice(root.length).split(sep).filter(Boolean)) {
    const there = join(folder, name)
    if (!(await lstat(there).catch(() => undefined))) return
    if (!(await readdir(folder)).includes(name)) {
      const problem = `"${folder}" holds this name in other letters, and its file system does not tell them apart`
      throw unsupportedKey(path, problem, 'Rename one of the two, or use another drive')
    }
    folder = there
  }
}

/** Removes a folder that holds nothing but empty folders; false when something is in it. */
async function removeEmpty(folder: string): Promise<boolean> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !(await removeEmpty(join(folder, entry.name)))) return false
  }
  return rmdir(folder).then(
    () => true,
    () => false,
  )
}
