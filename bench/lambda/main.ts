/**
 * `npm run bench:lambda`: size and cold import of every Lambda bundle. The peer is the same handler run from the repository by Node (types
 * stripped, packages from node_modules): what bundling is worth. Each import in a process of its own, in turn, where there is no
 * node_modules. Fills the section "lambda" of BENCHMARKS.md.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleFunction } from '../../lib/stacks/bundle-function.ts'

const root = resolve(import.meta.dirname, '../..')
const rounds = Number(process.env.BENCH_ROUNDS ?? 5)
const targets = { bytes: 2e6, milliseconds: 400 }

/** Milliseconds from a started process to a handler that could be called. */
const script = `
  const begun = performance.now()
  const { handler } = await import(process.argv[1])
  if (typeof handler !== 'function') throw new Error('no handler')
  console.log(performance.now() - begun)
  process.exit()`

function coldImport(path: string): number {
  const argv = ['--input-type=module', '--eval', script, pathToFileURL(path).href]
  return Number(execFileSync(process.execPath, argv, { cwd: tmpdir(), encoding: 'utf8', env: {} }))
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

/** Bytes of a bundle: of what every function has, and of the HDF5 library, which the worker alone loads. */
function sizesOf(folder: string): { own: number; hdf5: number } {
  const sizes = { own: 0, hdf5: 0 }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const isHdf5 = entry.parentPath.endsWith('plugins') || (entry.name.endsWith('.mjs') && isLibrary(path))
    sizes[isHdf5 ? 'hdf5' : 'own'] += statSync(path).size
  }
  return sizes
}

function isLibrary(path: string): boolean {
  return readFileSync(path, 'latin1').includes('H5Fopen') && statSync(path).size > 2e6
}

function line(name: string, folder: string): string {
  const entry = `functions/${name}/handler.ts`
  bundleFunction(entry, { root, folder })
  const times: { bundle: number[]; source: number[] } = { bundle: [], source: [] }
  for (let round = 0; round < rounds; round++) {
    times.bundle.push(coldImport(join(folder, 'index.mjs')))
    times.source.push(coldImport(join(root, entry)))
  }
  const [bundle, source] = [median(times.bundle), median(times.source)]
  const { own, hdf5 } = sizesOf(folder)
  const met = own < targets.bytes && bundle < targets.milliseconds ? 'yes' : '**no**'
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(2)
  return `| ${name} | ${megabytes(own)} MB | ${hdf5 === 0 ? '' : `${megabytes(hdf5)} MB`} | ${bundle.toFixed(0)} ms | ${source.toFixed(0)} ms | ${(source / bundle).toFixed(1)} x | ${met} |`
}

function run(): string {
  const place = mkdtempSync(join(tmpdir(), 'celldrop-bundles-'))
  try {
    const names = readdirSync(join(root, 'functions'))
    return [
      `Machine: ${availableParallelism()} x ${cpus()[0]?.model.trim()}, load ${loadavg()[0]?.toFixed(1)}. Node ${process.version}. ${new Date().toISOString().slice(0, 10)}, median of ${rounds}.`,
      `Targets: ${targets.bytes / 1e6} MB without the HDF5 library, ${targets.milliseconds} ms to import. AWS runs them on arm64; the ratio carries over, the times do not.`,
      '',
      '| function | code and data | HDF5 library, in its worker | cold import | from the repository | ratio | targets met |',
      '|---|---|---|---|---|---|---|',
      ...names.map((name) => line(name, join(place, name))),
    ].join('\n')
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

const page = join(root, 'BENCHMARKS.md')
const section = run()
console.log(section)
const text = readFileSync(page, 'utf8')
if (!text.includes('<!-- lambda -->')) throw new Error('BENCHMARKS.md has no section "lambda"')
writeFileSync(
  page,
  text.replace(
    /(<!-- lambda -->\n)[\s\S]*?(<!-- \/lambda -->)/,
    (_, start, end) => `${start}${section}\n${end}`,
  ),
)
