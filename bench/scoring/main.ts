/**
 * `npm run bench:scoring`: scores of a linear model on sparse rows, against numpy and scikit-learn doing what CellTypist 1.7.1 does,
 * alternately, in this run. Fills the section "scoring" of BENCHMARKS.md; with BENCH_CELLS it prints only. Wants 1 GB of disk, and
 * for the peer 16 GB of memory.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { machine, median, today, writeSection } from '../section.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'bench', '.cache', 'scoring')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const isSmall = process.env.BENCH_CELLS !== undefined
const cells = Number(process.env.BENCH_CELLS ?? 100_000)
const [genes, perCell, labels, modelGenes] = [20_000, 1_000, 100, 5_000]
const blockRows = 1_000

interface Result {
  seconds: number
  select_seconds: number
  peak_mib: number
  first: number[]
  best: number
}

function call(command: string, argv: (string | number)[]): string {
  return execFileSync(command, argv.map(String), {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
const ours = (...argv: (string | number)[]): string =>
  call(process.execPath, ['bench/scoring/ours.ts', ...argv])
const peer = (...argv: (string | number)[]): string => call(python, ['bench/scoring/peer.py', ...argv])

/** Both sides must have computed the same before their times mean anything. */
function checkEqual(mine: Result, theirs: Result): void {
  const apart = Math.max(...mine.first.map((value, i) => Math.abs(value - theirs.first[i]!)))
  if (!(apart < 1e-9) || mine.best !== theirs.best)
    throw new Error(`scores differ by ${apart}, labels add up to ${mine.best} and ${theirs.best}`)
}

function row(title: string, { mine, theirs }: { mine: Result[]; theirs: Result[] }): string {
  checkEqual(mine[0]!, theirs[0]!)
  const of = (results: Result[], figure: (result: Result) => number): number => median(results.map(figure))
  const [seconds, scoring] = [(r: Result) => r.seconds, (r: Result) => r.seconds - r.select_seconds]
  const ratio = (figure: (result: Result) => number): string =>
    (of(theirs, figure) / of(mine, figure)).toFixed(1)
  const memory = [mine, theirs].map((results) => of(results, (result) => result.peak_mib))
  return `| ${title} | ${of(mine, seconds).toFixed(2)} s | ${of(theirs, seconds).toFixed(2)} s | ${ratio(seconds)} x | ${ratio(scoring)} x | ${memory[0]!.toFixed(0)} MiB | ${memory[1]!.toFixed(0)} MiB | 1/${(memory[1]! / memory[0]!).toFixed(0)} |`
}

function run(): string {
  ours('generate', folder, cells, genes, perCell, labels, modelGenes)
  const [mine, whole, blocks]: [Result[], Result[], Result[]] = [[], [], []]
  for (let round = 0; round < rounds; round++) {
    mine.push(JSON.parse(ours('score', folder)))
    whole.push(JSON.parse(peer('score', folder)))
    blocks.push(JSON.parse(peer('blocks', folder, blockRows)))
  }
  rmSync(folder, { recursive: true })
  const many = 10 * cells
  const streamed: Result = JSON.parse(ours('stream', many, genes, perCell, labels, modelGenes))
  const versions = JSON.parse(peer('versions')) as Record<string, string>
  return [
    `Machine: ${machine()}, one thread; numpy ${versions.numpy} (BLAS on all cores), scipy ${versions.scipy}, scikit-learn ${versions.sklearn}.`,
    `${today()}, median of ${rounds}. ${cells} cells x ${genes} genes, ${perCell} non-zeros a cell, in memory; a model of ${labels} labels x ${modelGenes} genes, ${perCell * (modelGenes / genes)} non-zeros a cell in it. Times from all genes to scores; both sides agree to 1e-9.`,
    '',
    '| peer | Celldrop | peer | ratio (target 10 x) | without choosing columns | peak above base | peer | share (target 1/5) |',
    '|---|---|---|---|---|---|---|---|',
    row('the whole matrix at once, as CellTypist 1.7.1', { mine, theirs: whole }),
    row(`by blocks of ${blockRows} cells, every step in place`, { mine, theirs: blocks }),
    '',
    `${many} cells made on the fly, labels kept: ${streamed.seconds.toFixed(1)} s, peak of the whole process ${streamed.peak_mib.toFixed(0)} MiB (target 600).`,
  ].join('\n')
}

const section = run()
console.log(section)
if (!isSmall) writeSection('scoring', section)
