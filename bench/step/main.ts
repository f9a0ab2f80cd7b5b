/**
 * `npm run bench:step`: milliseconds of a training step, against the same model in plain PyTorch and against the products of matrices that
 * no step can do without, alternately, in this run. Fills the section "step" of BENCHMARKS.md; with BENCH_ROUNDS below 3 it prints only.
 * Wants 1 GB of memory and a Python with torch.
 */
import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { join, resolve } from 'node:path'
import { machine, median, today, writeSection } from '../section.ts'

const root = resolve(import.meta.dirname, '../..')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const threads = Math.min(2, availableParallelism())

interface Result {
  /** milliseconds */
  step: number
  loss: number
  peak_mib: number
  /** of the peer alone: the median of single steps, some of which stall */
  typical: number
  /** ours alone: milliseconds of the products, and operations in a step */
  products: number
  nodes: number
}

function call(command: string, argv: (string | number)[]): string {
  return execFileSync(command, argv.map(String), {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function row({ kind, genes, steps }: { kind: string; genes: number; steps: number }): string {
  const [mine, theirs]: Result[][] = [[], []]
  for (let round = 0; round < rounds; round++) {
    mine!.push(JSON.parse(call(process.execPath, ['bench/step/ours.ts', kind, genes, steps, threads])))
    theirs!.push(JSON.parse(call(python, ['bench/step/peer.py', kind, genes, steps, threads])))
  }
  const of = (results: Result[], figure: (result: Result) => number) => median(results.map(figure))
  const [own, other] = [mine!, theirs!].map((results) => of(results, (result) => result.step))
  const typical = of(theirs!, (result) => result.typical)
  const products = of(mine!, (result) => result.products)
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const peak = (results: Result[]) => `${of(results, (result) => result.peak_mib).toFixed(0)} MiB`
  return [
    `| ${kind}, 128 x ${genes}${kind === 'scanvi' ? ', 30 labels' : ''}`,
    ms(own!),
    `${Math.round(128_000 / own!)}`,
    `${ms(other!)} (${ms(typical)})`,
    `${(other! / own!).toFixed(1)} x (${(typical / own!).toFixed(1)} x)`,
    ms(products),
    `${(own! / products).toFixed(1)} x`,
    `${mine![0]!.nodes}`,
    peak(mine!),
    `${peak(theirs!)} |`,
  ].join(' | ')
}

function run(): string {
  const lines = [
    { kind: 'scvi', genes: 2_000, steps: 40 },
    { kind: 'scvi', genes: 8_000, steps: 10 },
    { kind: 'scanvi', genes: 2_000, steps: 10 },
  ].map(row)
  const { torch } = JSON.parse(call(python, [join('bench', 'step', 'peer.py'), 'versions'])) as {
    torch: string
  }
  return [
    `Machine: ${machine()}; ${threads} threads on both sides; PyTorch ${torch}.`,
    `${today()}, median of ${rounds} processes of 7 runs each. Hidden 128, latent 10, ZINB, batch normalisation in both parts, dropout 0.1, a tenth of the counts above zero. Noise is drawn inside the step by PyTorch and fed to ours. Of PyTorch in brackets: the median of single steps; on this machine some of its steps stall, so that a run takes longer than its steps' median says, and what a user waits for is the former. Products: those of the layers towards and from the genes (and over cells times labels), forward and of both gradients, by onnxruntime alone.`,
    '',
    '| step | Celldrop | cells/s | PyTorch (median step) | ratio (target 3 x) | products alone | ours over products (target 2 x) | operations | peak memory | PyTorch |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

const section = run()
console.log(section)
if (rounds >= 3) writeSection('step', section)
