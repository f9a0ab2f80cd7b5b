/** A folder for what children write and throw away, one for each running celldrop; those of runs that were killed are removed. */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

export interface Scratch {
  path: string
  [Symbol.asyncDispose](): Promise<void>
}

export async function openScratch(home: string): Promise<Scratch> {
  const folder = join(home, 'scratch')
  const path = join(folder, String(process.pid))
  await mkdir(path, { recursive: true })
  for (const name of await readdir(folder))
    if (/^\d+$/.test(name) && !isRunning(Number(name)))
      await rm(join(folder, name), { recursive: true, force: true })
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

export function isRunning(id: number): boolean {
  try {
    process.kill(id, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as another user
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
