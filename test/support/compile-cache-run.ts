/**
 * Set-up of a whole run: what Node compiles is kept in node_modules/.cache, so that the many small processes and threads that tests start
 * need not compile the same files each time. Filled here once for the threads that read HDF5, because those are ended from outside and
 * then store nothing (compile-cache.ts has them use it).
 */
import { execFileSync } from 'node:child_process'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = resolve(import.meta.dirname, '../..')
const worker = pathToFileURL(resolve(root, 'lib/data/hdf5/worker.ts')).href

export function setup(): void {
  process.env.NODE_COMPILE_CACHE ??= resolve(root, 'node_modules/.cache/node-compile')
  // outside a thread it has nothing to read and fails, but by then it is compiled
  const load = `await import('h5wasm'); await import(${JSON.stringify(worker)}).catch(() => {})`
  execFileSync(process.execPath, ['--input-type=module', '--eval', load], { cwd: root })
}
