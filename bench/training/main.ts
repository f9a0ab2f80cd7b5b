/**
 * `npm run bench:training`: linear models fitted to the optimum, against scikit-learn's LogisticRegression on the same cells made dense,
 * alternately, in this run. Fills the section "training" of BENCHMARKS.md; with BENCH_CELLS or BENCH_ROUNDS=1 it prints only.
 * Wants 2 GB of memory; the row of real cells is left out where ../shared/data is not.
 *
 * Both sides stop within 1e-6 of the optimum. scikit-learn cannot be told so: `tol` is the loosest power of ten that gets there.
 * It gets its faster setting: labels in two processes of one thread each (ovr), or two threads of its linear algebra (multinomial).
 */
import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { machine, median, today, writeSection } from '../section.ts'

const root = resolve(import.meta.dirname, '../..')
const cache = join(root, 'bench', '.cache', 'training')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const cells = Number(process.env.BENCH_CELLS ?? 20_000)
const isSmall = process.env.BENCH_CELLS !== undefined || rounds < 3
const [genes, labels, mayDiffer] = [2_000, 40, 1e-6]

interface Result {
  seconds: number
  objective: number
  steps: number
  peak_mib: number
  /** ours alone: certified */
  above?: number
}

interface Sizes {
  rows: number
  columns: number
  labels: number
  density: number
}

function call(command: string, argv: (string | number)[], env: Record<string, string> = {}): string {
  return execFileSync(command, argv.map(String), {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
const ours = (...argv: (string | number)[]) =>
  JSON.parse(call(process.execPath, ['bench/training/ours.ts', ...argv]))

function peer(folder: string, loss: string, tol: number): Result {
  const [jobs, threads] = loss === 'ovr' ? ['2', '1'] : ['1', '2']
  return JSON.parse(
    call(python, ['bench/training/peer.py', 'fit', folder, loss, tol, jobs], {
      OPENBLAS_NUM_THREADS: threads,
    }),
  )
}

/** Times mean nothing unless both got to the optimum: ours is within `mayDiffer` of it, which it certifies. */
function isOptimum({ objective }: Result, mine: Result): boolean {
  return mine.above !== undefined && mine.above <= mayDiffer && objective / mine.objective - 1 < mayDiffer
}

/** The first round, with the loosest `tol` from `tol` on that gets there. */
function firstRound(folder: string, { mine, loss, tol }: { mine: Result; loss: string; tol: number }) {
  for (let tried = tol; tried > 1e-8; tried /= 10) {
    const theirs = peer(folder, loss, tried)
    if (isOptimum(theirs, mine)) return { theirs, tol: tried }
  }
  throw new Error(`scikit-learn does not reach ${mine.objective}`)
}

function row(folder: string, { title, loss, tol }: { title: string; loss: string; tol: number }): string {
  const mine: Result[] = [ours('fit', folder, loss, mayDiffer)]
  const first = firstRound(folder, { mine: mine[0]!, loss, tol })
  const theirs = [first.theirs]
  while (theirs.length < rounds) {
    mine.push(ours('fit', folder, loss, mayDiffer))
    theirs.push(peer(folder, loss, first.tol))
  }
  const of = (results: Result[], figure: (result: Result) => number): number => median(results.map(figure))
  const [own, other] = [mine, theirs].map((results) => of(results, (result) => result.seconds))
  const peak = (results: Result[]): string => `${of(results, (result) => result.peak_mib).toFixed(0)} MiB`
  const objective = (results: Result[]): string => results[0]!.objective.toPrecision(9)
  return `| ${title}, ${loss} | ${own!.toFixed(2)} s | ${other!.toFixed(2)} s | ${(other! / own!).toFixed(1)} x | ${objective(mine)} | ${objective(theirs)} | ${peak(mine)} | ${peak(theirs)} |`
}

function rowsOf(folder: string, { name, sizes, tol }: { name: string; sizes: Sizes; tol: number }): string[] {
  const title = `${name}: ${sizes.rows} x ${sizes.columns}, ${(100 * sizes.density).toFixed(0)} % stored, ${sizes.labels} labels`
  return ['ovr', 'multinomial'].map((loss) => row(folder, { title, loss, tol }))
}

function run(): string {
  const [simulated, sorted] = [join(cache, 'simulated'), join(cache, 'sorted')]
  const lines = rowsOf(simulated, {
    name: 'simulated',
    sizes: ours('simulate', simulated, cells, genes, labels),
    tol: 1e-3,
  })
  if (existsSync(join(root, '../shared/data/MANIFEST.md')))
    lines.push(...rowsOf(sorted, { name: 'sorted blood cells', sizes: ours('sorted', sorted), tol: 1e-4 }))
  rmSync(cache, { recursive: true })
  const versions = JSON.parse(call(python, ['bench/training/peer.py', 'versions'])) as Record<string, string>
  return [
    `Machine: ${machine()}; scikit-learn ${versions.sklearn} (lbfgs, on both cores), numpy ${versions.numpy}.`,
    `${today()}, median of ${rounds}. Both within 1e-6 of the optimum, which is checked. Ours from sparse log counts, standardising included; scikit-learn's from dense standardised cells, fitting alone. Memory is the peak of the whole process, without what n_jobs starts.`,
    '',
    '| cells x genes, loss | Celldrop | scikit-learn | ratio (target 3 x) | objective | scikit-learn | peak memory | scikit-learn |',
    '|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}

const section = run()
console.log(section)
if (!isSmall) writeSection('training', section)
