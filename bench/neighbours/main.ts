/**
 * `npm run bench:neighbours`: exact and approximate nearest neighbours against scikit-learn and pynndescent, and principal components
 * against scikit-learn's PCA after scaling, alternately, each in a process of its own. Fills the section "neighbours" of BENCHMARKS.md;
 * with BENCH_CELLS (cells instead of 10,000, 50,000 and 20,000) it prints only.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { machine, median, today, writeSection } from '../section.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'bench', '.cache', 'neighbours')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const small = process.env.BENCH_CELLS === undefined ? undefined : Number(process.env.BENCH_CELLS)
const searched = small === undefined ? [10_000, 50_000] : [small]
const decomposed = small ?? 20_000

interface Result {
  seconds: number
  peak_mib: number
  recall?: number
  variance?: number[]
  density?: number
}

function call(command: string, argv: string[]): Result {
  const output = execFileSync(command, argv, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(output.trim().split('\n').at(-1) ?? '')
}
const ours = (task: string, rows: number): Result =>
  call(process.execPath, ['bench/neighbours/ours.ts', task, folder, String(rows)])
const peer = (task: string, rows = 0): Result =>
  call(python, ['bench/neighbours/peer.py', task, folder, String(rows)])

interface Comparison {
  ours: Result[]
  peer: Result[]
}

function compare(own: string, other: string, rows: number): Comparison {
  console.error(`${own} and ${other}, ${rows} cells`)
  const results: Comparison = { ours: [], peer: [] }
  for (let round = 0; round < rounds; round++) {
    results.ours.push(ours(own, rows))
    results.peer.push(peer(other, rows))
  }
  return results
}

function line(what: string, { ours, peer }: Comparison, [own, other]: [string, string]): string {
  const [mine, theirs] = [ours, peer].map((results) => median(results.map(({ seconds }) => seconds)))
  const peak = (results: Result[]): string =>
    `${median(results.map(({ peak_mib }) => peak_mib)).toFixed(0)} MiB`
  return `| ${what} | ${mine!.toFixed(2)} s | ${theirs!.toFixed(2)} s | ${(theirs! / mine!).toFixed(2)} x | ${own} | ${other} | ${peak(ours)} | ${peak(peer)} |`
}

function searchLines(rows: number): string[] {
  ours('generate', rows)
  const percent = (share: number | undefined): string => `${(100 * (share ?? Number.NaN)).toFixed(2)} %`
  const exact = compare('exact', 'brute', rows)
  const brute = ours('recall', rows).recall
  const approximate = compare('approximate', 'descent', rows)
  const descent = ours('recall', rows).recall
  return [
    line(`exact, ${rows} cells (scikit-learn brute)`, exact, ['100 %', percent(brute)]),
    line(`approximate, ${rows} cells (pynndescent)`, approximate, [
      percent(approximate.ours[0]!.recall),
      percent(descent),
    ]),
  ]
}

/** Largest relative difference of the standard deviations of the components from those of ARPACK. */
function difference(found: Result, wanted: Result): string {
  const off = found.variance!.map((value, c) => Math.abs(Math.sqrt(value / wanted.variance![c]!) - 1))
  return Math.max(...off).toExponential(0)
}

function pcaLines(): string[] {
  ours('generateCounts', decomposed)
  const arpack = compare('pca', 'arpack', decomposed)
  const exact = arpack.peer[0]!
  const own = difference(arpack.ours[0]!, exact)
  const shape = `${decomposed} x 2000, ${(100 * arpack.ours[0]!.density!).toFixed(1)} % stored`
  const randomized = {
    ours: arpack.ours,
    peer: Array.from({ length: rounds }, () => peer('randomized', decomposed)),
  }
  return [
    line(`50 components, ${shape} (PCA arpack)`, arpack, [own, '0']),
    line(`the same (PCA randomized)`, randomized, [own, difference(randomized.peer[0]!, exact)]),
  ]
}

function run(): string {
  mkdirSync(folder, { recursive: true })
  const neighbours = searched.flatMap(searchLines)
  const components = pcaLines()
  const versions = peer('versions') as unknown as Record<string, string>
  rmSync(folder, { recursive: true })
  return [
    `Machine: ${machine()}; scikit-learn ${versions.sklearn}, pynndescent ${versions.pynndescent}, numpy ${versions.numpy}.`,
    `${today()}, median of ${rounds}. Both sides use two threads. 31 neighbours in 30 dimensions, 15 groups.`,
    '',
    '| task (peer) | Celldrop | peer | ratio | recall | peer | peak memory | peer |',
    '|---|---|---|---|---|---|---|---|',
    ...neighbours,
    '',
    '| task (peer) | Celldrop | peer | ratio | largest difference of a singular value to ARPACK | peer | peak memory | peer |',
    '|---|---|---|---|---|---|---|---|',
    ...components,
  ].join('\n')
}

const section = run()
console.log(section)
if (small === undefined) writeSection('neighbours', section)
