/**
 * `npm run bench:prep`: alignment to a model's genes, normalisation, and the moments that variable genes are chosen by, against
 * scipy and scikit-learn, alternately, in this run. Fills the section "prep" of BENCHMARKS.md; with BENCH_CELLS it prints only.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { machine, median, today, writeSection } from '../section.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'bench', '.cache', 'prep')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const isSmall = process.env.BENCH_CELLS !== undefined
const cells = Number(process.env.BENCH_CELLS ?? 20_000)
const perCell = 1_000

type Task = 'align' | 'normalise' | 'moments'
type Results = Record<Task, { seconds: number; checksum: number }>

const titles: Record<Task, string> = {
  align: 'align 33,000 genes to the 4,000 of a model',
  normalise: 'log1p of counts per 10,000, and align',
  moments: 'the same over all genes, mean and variance of each',
}

function call(command: string, argv: string[]): string {
  return execFileSync(command, argv, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}
const ours = (task: string): string =>
  call(process.execPath, ['bench/prep/ours.ts', task, folder, String(cells)])
const peer = (task: string): string => call(python, ['bench/prep/peer.py', task, folder, String(cells)])

function row(task: Task, { mine, theirs }: { mine: Results[]; theirs: Results[] }): string {
  const [a, b] = [mine[0]![task].checksum, theirs[0]![task].checksum]
  // float32 on both sides, summed in another order
  if (!(Math.abs(a / b - 1) < 1e-4)) throw new Error(`${task}: ours adds up to ${a}, theirs to ${b}`)
  const [own, other] = [mine, theirs].map((results) => median(results.map((result) => result[task].seconds)))
  const speed = (seconds: number) => `${((cells * perCell) / seconds / 1e6).toFixed(0)} M/s`
  return `| ${titles[task]} | ${speed(own!)} | ${speed(other!)} | ${(other! / own!).toFixed(2)} x |`
}

function run(): string {
  ours('generate')
  const [mine, theirs]: [Results[], Results[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    mine.push(JSON.parse(ours('measure')))
    theirs.push(JSON.parse(peer('measure')))
  }
  rmSync(folder, { recursive: true })
  const versions = JSON.parse(peer('versions')) as Record<string, string>
  const tasks = Object.keys(titles) as Task[]
  return [
    `Machine: ${machine()}; scipy ${versions.scipy}, scikit-learn ${versions.sklearn}, numpy ${versions.numpy}.`,
    `${today()}, median of ${rounds}. ${cells} cells of ${perCell} non-zeros in memory, one thread on both sides; non-zeros a second.`,
    '',
    '| task | Celldrop | scipy | ratio |',
    '|---|---|---|---|',
    ...tasks.map((task) => row(task, { mine, theirs })),
  ].join('\n')
}

const section = run()
console.log(section)
if (!isSmall) writeSection('prep', section)
