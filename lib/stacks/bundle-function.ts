/**
 * One Lambda function as a folder that runs by itself: its code with all packages in it, minified, and beside it what the code reads at run
 * time. Used by the stacks, by bench/lambda and by the test that runs a bundle where there is no node_modules.
 *
 * - a module that reads files by `new URL('./data/...', import.meta.url)`: the folder `data` beside it is copied.
 * - a thread has a file of its own beside the code that starts it: the parser of HDF5 becomes `worker.mjs`, with the filter plugins in
 *   `plugins/` (only it holds h5wasm), a training's thread `training-worker.mjs`.
 * - the Batch steps of a workflow, which it imports on demand, are left out: no function runs one. A function that would load one, or a
 *   package with machine code, at its start is refused here.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { buildSync, type Metafile } from 'esbuild'
import { batchStates } from './access.ts'

const nativePackages = ['@napi-rs/canvas', 'onnxruntime-node', 'usearch']
/** By the module that starts it, a thread: name of its file and where it begins. */
const threads: Record<string, [name: string, source: string]> = {
  'lib/data/hdf5/worker-client.ts': ['worker', 'lib/data/hdf5/worker.ts'],
  'lib/models/training-crew.ts': ['training-worker', 'lib/models/training-worker.ts'],
}
const plugins = ['lzf', 'zstd', 'blosc', 'blosc2', 'lz4', 'bz2', 'bshuf']

/** Packages that are not written as ES modules ask for `require`. */
const requireForPackages =
  "import { createRequire as celldropRequire } from 'node:module'; const require = celldropRequire(import.meta.url);"

/**
 * @param entry path of the handler within the repository, such as functions/validate-job/handler.ts
 * @param folder empty or absent; gets index.mjs, which exports what the handler exports
 */
export function bundleFunction(entry: string, { root, folder }: { root: string; folder: string }): void {
  const external = [...nativePackages, ...batchSteps(root)]
  const build = (entryPoints: Record<string, string>): Metafile =>
    buildSync({
      absWorkingDir: root,
      entryPoints,
      outdir: folder,
      outExtension: { '.js': '.mjs' },
      chunkNames: 'chunk-[hash]',
      bundle: true,
      splitting: true,
      minify: true,
      charset: 'utf8', // the library's WebAssembly is text with every byte in it: escaped it is half as long again
      legalComments: 'none',
      platform: 'node',
      target: 'node24',
      format: 'esm',
      mainFields: ['module', 'main'],
      banner: { js: requireForPackages },
      external,
      metafile: true,
      logLevel: 'error',
    }).metafile
  mkdirSync(folder, { recursive: true })
  let built = build({ index: entry })
  const started = Object.keys(built.inputs).flatMap((path) => (threads[path] ? [threads[path]] : []))
  if (started.length > 0) {
    rmSync(folder, { recursive: true })
    built = build({ index: entry, ...Object.fromEntries(started) })
  }
  if (started.some(([name]) => name === 'worker')) copyPlugins(folder, root)
  refuseMissing(built, entry)
  copyData(built, { root, folder })
}

/** lib/workflows/annotate/prepare.ts, ... of every workflow */
function batchSteps(root: string): string[] {
  const workflows = readdirSync(join(root, 'lib/workflows'))
  const paths = workflows.flatMap((name) =>
    batchStates.map((state) => `lib/workflows/${name}/${state.toLowerCase()}.ts`),
  )
  return paths.filter((path) => existsSync(join(root, path))).map((path) => `./${path}`)
}

function refuseMissing({ outputs }: Metafile, entry: string): void {
  for (const { imports } of Object.values(outputs)) {
    const missing = imports.find(
      ({ kind, external, path }) => kind === 'import-statement' && external === true && !isBuiltin(path),
    )
    if (missing !== undefined)
      throw new Error(`${entry} would load ${missing.path} at its start: import it on demand`)
  }
}

function copyData({ inputs }: Metafile, { root, folder }: { root: string; folder: string }): void {
  for (const path of Object.keys(inputs).filter((name) => name.startsWith('lib/')))
    if (/new URL\(['"`]\.\/data\//.test(readFileSync(join(root, path), 'utf8')))
      cpSync(join(root, dirname(path), 'data'), join(folder, 'data'), { recursive: true })
}

function copyPlugins(folder: string, root: string): void {
  const require = createRequire(join(root, 'package.json'))
  mkdirSync(join(folder, 'plugins'), { recursive: true })
  for (const name of plugins) {
    const path = require.resolve(`h5wasm-plugins/plugins/libH5Z${name}.so`)
    cpSync(path, join(folder, 'plugins', basename(path)))
  }
}
