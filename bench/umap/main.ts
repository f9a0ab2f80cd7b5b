/**
 * `npm run bench:umap`: layouts against umap-learn and clusters against leidenalg and igraph, from the same neighbours, alternately, in
 * this run. Fills the section "umap" of BENCHMARKS.md; with BENCH_CELLS (one number) it prints only.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { machine, today, writeSection } from '../section.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'bench', '.cache', 'umap')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const isSmall = process.env.BENCH_CELLS !== undefined
const sizes = isSmall ? [Number(process.env.BENCH_CELLS)] : [10_000, 50_000]

interface Result {
  seconds: number
  peak_mib: number
  clusters?: number
  modularity?: number
  entries?: number
}

function call(command: string, argv: (string | number)[]): string {
  return execFileSync(command, argv.map(String), {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
const ours = (task: string, cells?: number): Result =>
  JSON.parse(call(process.execPath, ['bench/umap/ours.ts', task, folder, cells ?? '']))
const peer = (task: string): Result => JSON.parse(call(python, ['bench/umap/peer.py', task, folder]))

function median(results: Result[], figure: (result: Result) => number): number {
  return results.map(figure).sort((a, b) => a - b)[results.length >> 1] ?? Number.NaN
}
const secondsOf = (results: Result[]): number => median(results, (result) => result.seconds)
const peakOf = (results: Result[]): string => `${median(results, (result) => result.peak_mib).toFixed(0)} MiB`

/** Each in turn, so that a busy minute meets all. */
function inTurn<Name extends string>(tasks: Record<Name, () => Result>): Record<Name, Result[]> {
  const names = Object.keys(tasks) as Name[]
  const results = Object.fromEntries(names.map((name) => [name, [] as Result[]])) as Record<Name, Result[]>
  for (let round = 0; round < rounds; round++) for (const name of names) results[name].push(tasks[name]())
  return results
}

function layouts(cells: number): string[] {
  const { mine, seeded, parallel } = inTurn({
    mine: () => ours('umap'),
    seeded: () => peer('umap'),
    parallel: () => peer('umap-parallel'),
  })
  const trust = JSON.parse(call(python, ['bench/umap/peer.py', 'judge', folder])) as Record<string, number>
  const apart = trust['layout-ours']! - trust['layout-peer']!
  if (apart < -0.005) throw new Error(`trustworthiness is ${-apart} below umap-learn's`)
  const line = (name: string, theirs: Result[], layout: string): string =>
    `| ${cells} | ${name} | ${secondsOf(mine).toFixed(1)} s | ${secondsOf(theirs).toFixed(1)} s | ${(secondsOf(theirs) / secondsOf(mine)).toFixed(1)} x | ${peakOf(mine)} | ${peakOf(theirs)} | ${trust['layout-ours']!.toFixed(4)} | ${trust[layout]!.toFixed(4)} |`
  return [
    line('umap-learn, seeded', seeded, 'layout-peer'),
    line('umap-learn, parallel: differs from run to run', parallel, 'layout-parallel'),
  ]
}

function clusters(cells: number): string[] {
  const { mine, leidenalg, igraph } = inTurn({
    mine: () => ours('leiden'),
    leidenalg: () => peer('leidenalg'),
    igraph: () => peer('igraph'),
  })
  const found = ([result]: Result[]): string => `${result!.modularity!.toFixed(4)} (${result!.clusters})`
  const line = (name: string, theirs: Result[]): string =>
    `| ${cells}, ${mine[0]!.entries! / 2} edges | ${name} | ${secondsOf(mine).toFixed(2)} s | ${secondsOf(theirs).toFixed(2)} s | ${(secondsOf(theirs) / secondsOf(mine)).toFixed(1)} x | ${peakOf(mine)} | ${found(mine)} | ${found(theirs)} |`
  return [line('leidenalg, as scanpy', leidenalg), line('igraph', igraph)]
}

function run(): string {
  const [laidOut, clustered]: [string[], string[]] = [[], []]
  for (const cells of sizes) {
    ours('generate', cells)
    laidOut.push(...layouts(cells))
    clustered.push(...clusters(cells))
  }
  rmSync(folder, { recursive: true })
  const versions = JSON.parse(call(python, ['bench/umap/peer.py', 'versions'])) as Record<string, string>
  return [
    `Machine: ${machine()}, one thread; umap-learn ${versions.umap} with numba ${versions.numba} (compiled beforehand), leidenalg ${versions.leidenalg}, igraph ${versions.igraph}.`,
    `${today()}, median of ${rounds}. Generated points in 30 dimensions, 15 neighbours, the same for both; minDist 0.5, spectral start, 500 epochs at 10,000 points and 200 above.`,
    '',
    '| points | peer | Celldrop | peer | ratio (target 1 x) | peak above base | peer | trustworthiness | peer |',
    '|---|---|---|---|---|---|---|---|---|',
    ...laidOut,
    '',
    'Trustworthiness (15 neighbours) on a sample of 4000 points.',
    '',
    '| Leiden, resolution 1, 2 iterations | peer | Celldrop | peer | ratio | peak above base | modularity (clusters) | peer |',
    '|---|---|---|---|---|---|---|---|',
    ...clustered,
  ].join('\n')
}

const section = run()
console.log(section)
if (!isSmall) writeSection('umap', section)
