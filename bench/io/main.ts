/**
 * `npm run bench:io`: reading, writing and ranged looks against h5py and anndata, alternately, in this run. Fills the section
 * "io" of BENCHMARKS.md. Files are made once and kept in bench/.cache (about 1.5 GB).
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { findPython } from '../../test/support/python.ts'
import { hasShared, sharedPath } from '../../test/support/shared.ts'
import { machine, median, today, writeSection } from '../section.ts'

const root = resolve(import.meta.dirname, '../..')
const cache = join(root, 'bench', '.cache')
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const cells = 100_000
const genes = 20_000
const perCell = 800

interface Result {
  seconds: number
  peak_mib: number
  [name: string]: unknown
}

const python = findPython()
if (python === undefined)
  throw new Error('bench:io needs a Python with h5py and anndata (Debian: python3-h5py python3-anndata)')

function json(command: string, argv: string[]): Result {
  const output = execFileSync(command, argv, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(output.trim().split('\n').at(-1) ?? '')
}
const ours = (...argv: string[]): Result => json(process.execPath, ['bench/io/ours.ts', ...argv])
const peer = (...argv: string[]): Result => json(python, ['bench/io/peer.py', ...argv])

function generated(name: string, gzip: number): string {
  const path = join(cache, name)
  if (!existsSync(path)) {
    console.error(`making ${name} ...`)
    peer('generate', path, String(cells), String(genes), String(perCell), String(gzip))
  }
  return path
}

interface Row {
  what: string
  bytes: number
  ours: Result[]
  peer: Result[]
  target: string
}

/** One round of each in turn, so that a busy minute meets both. The first round only warms the page cache. */
function compare(
  what: string,
  options: { bytes: number; target: string; ours(): Result; peer(): Result },
): Row {
  console.error(what)
  const row: Row = { what, bytes: options.bytes, target: options.target, ours: [], peer: [] }
  for (let round = 0; round <= rounds; round++) {
    const results = [options.ours(), options.peer()] as const
    if (round === 0) continue
    row.ours.push(results[0])
    row.peer.push(results[1])
  }
  return row
}

function line({ what, bytes, ours, peer, target }: Row): string {
  const seconds = (results: Result[]): number => median(results.map((result) => result.seconds))
  const speed = (results: Result[]): string => `${(bytes / 1e6 / seconds(results)).toFixed(0)} MB/s`
  const peak = (results: Result[]): string =>
    `${median(results.map((result) => result.peak_mib)).toFixed(0)} MiB`
  const ratio = (seconds(peer) / seconds(ours)).toFixed(2)
  return `| ${what} | ${speed(ours)} | ${speed(peer)} | ${ratio} x | ${target} | ${peak(ours)} | ${peak(peer)} |`
}

function run(): string {
  mkdirSync(cache, { recursive: true })
  const plain = generated('plain.h5ad', 0)
  const gzipped = generated('gzip.h5ad', 4)
  const stored = Number(peer('read', plain).stored)
  const bytes = stored * 8
  const target = (name: string): string => join(cache, name)
  const rows = [
    compare('read CSR, uncompressed', {
      bytes,
      target: '0.6 x',
      ours: () => ours('read', plain),
      peer: () => peer('read', plain),
    }),
    compare('read CSR, gzip 4', {
      bytes,
      target: '1 x',
      ours: () => ours('read', gzipped),
      peer: () => peer('read', gzipped),
    }),
    compare('write CSR, uncompressed', {
      bytes,
      target: '',
      ours: () => ours('rewrite', plain, target('ours.h5ad'), '0'),
      peer: () => peer('rewrite', plain, target('peer.h5ad'), '0'),
    }),
    compare('write CSR, gzip 4, h5py shuffling the column numbers too', {
      bytes,
      target: '',
      ours: () => ours('rewrite', plain, target('ours.h5ad'), '4'),
      peer: () => peer('rewrite', plain, target('peer.h5ad'), '4', 'shuffle'),
    }),
    compare('write CSR, gzip 4', {
      bytes,
      target: '2 x',
      ours: () => ours('rewrite', plain, target('ours.h5ad'), '4'),
      peer: () => peer('rewrite', plain, target('peer.h5ad'), '4'),
    }),
  ]
  const sizes = ['ours.h5ad', 'peer.h5ad'].map(
    (name) => `${(statSync(target(name)).size / 1e6).toFixed(0)} MB`,
  )
  for (const name of ['ours.h5ad', 'peer.h5ad']) rmSync(target(name))
  if (hasShared) {
    const real = sharedPath('data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad')
    const bytes = 2_867_135 * 8
    rows.push(
      compare('whole real file (pbmc4k)', {
        bytes,
        target: '',
        ours: () => ours('whole', real),
        peer: () => peer('anndata', real),
      }),
    )
  }
  return report({ rows, stored, sizes, looks: [ours('inspect', plain), ours('inspect', gzipped)] })
}

function report({
  rows,
  stored,
  sizes,
  looks,
}: {
  rows: Row[]
  stored: number
  sizes: string[]
  looks: Result[]
}): string {
  const versions = peer('versions')
  const look = (name: string, { requests, bytes, size, seconds }: Result): string =>
    `| ${name} | ${(Number(size) / 1e6).toFixed(0)} MB | ${requests} | ${(Number(bytes) / 1e6).toFixed(1)} MB | ${((100 * Number(bytes)) / Number(size)).toFixed(2)} % | ${seconds.toFixed(2)} s |`
  return [
    `Machine: ${machine()}; h5py ${versions.h5py} on HDF5 ${versions.hdf5}, anndata ${versions.anndata}.`,
    `${today()}, median of ${rounds}. Generated CSR ${cells} x ${genes}, ${stored} non-zeros (float32 and int32: ${((stored * 8) / 1e6).toFixed(0)} MB), chunks as h5py guesses them.`,
    '',
    '| task | Celldrop | h5py / anndata | ratio | target | peak above base | peer |',
    '|---|---|---|---|---|---|---|',
    ...rows.map(line),
    '',
    `Written with gzip 4: ${sizes[0]} (h5py: ${sizes[1]}).`,
    '',
    '| look by ranges: shape, obs (8 columns), var | file | requests | read | share | time without latency |',
    '|---|---|---|---|---|---|',
    look('uncompressed (targets: 25 requests, 2 %)', looks[0]!),
    look('gzip 4', looks[1]!),
  ].join('\n')
}

const section = run()
console.log(section)
writeSection('io', section)
