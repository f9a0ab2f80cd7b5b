/**
 * `npm run bench:type-cells`: references of blood and a query of another study, over a panel of 400 genes, from the command line to the
 * report; the same with a type that the references lack. Beside it what SpatialCore 0.3 with CellTypist 1.7 made of the same files, as
 * recorded, and the same work in Python with anndata and scikit-learn, run here. Then two simulated references of 100,000 cells.
 * Fills the section "type-cells" of BENCHMARKS.md; with BENCH_CELLS it prints only. Wants 6 GB of memory for the peer.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { hasShared } from '../../test/support/shared.ts'
import { machine, median, today, writeSection } from '../section.ts'
import { qualityTables, type RealRun, realRuns } from './quality.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'bench/.cache/type-cells')
const main = join(root, 'lib/local/main.ts')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const cells = Number(process.env.BENCH_CELLS ?? 100_000)

interface Ours {
  wall: number
  h5ad: string
  steps: { step: string; seconds: number; peakMemoryMiB: number }[]
}
interface Peer {
  wall: number
  peak: number
  training: number
  versions: string
}

/** From a cold start in a folder of its own: nothing that was finished before is found. */
function ours(name: string, job: Record<string, unknown>): Ours {
  const place = join(folder, name)
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place, { recursive: true })
  writeFileSync(join(place, 'job.json'), JSON.stringify({ workflow: 'type-cells', ...job }))
  const begun = performance.now()
  const words = [main, 'run', 'job.json', '--out', 'out', '--models', 'models']
  const { status, stderr } = spawnSync(process.execPath, words, { cwd: place, encoding: 'utf8' })
  if (status !== 0) throw new Error(`celldrop run ended with ${status}: ${stderr}`)
  const wall = (performance.now() - begun) / 1000
  const { timings, outputs } = JSON.parse(readFileSync(join(place, 'out/result.json'), 'utf8')) as {
    timings: Ours['steps']
    outputs: { h5ad: string }
  }
  return { wall, h5ad: join(place, 'out', outputs.h5ad), steps: timings }
}

function peer(out: string, job: Record<string, unknown>): Peer {
  const argv = ['bench/type-cells/peer.py', JSON.stringify({ ...job, out })]
  const begun = performance.now()
  const text = execFileSync(python, argv, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const wall = (performance.now() - begun) / 1000
  return { ...(JSON.parse(text.trim().split('\n').at(-1)!) as Peer), wall }
}

const peakOf = ({ steps }: Ours) => Math.max(...steps.map(({ peakMemoryMiB }) => peakMemoryMiB))

function oursRow(title: string, runs: readonly Ours[]): string {
  const parts = runs[0]!.steps.map(({ step }, at) => {
    const [seconds, peak] = [
      median(runs.map(({ steps }) => steps[at]!.seconds)),
      median(runs.map(({ steps }) => steps[at]!.peakMemoryMiB)),
    ]
    return `${step} ${seconds.toFixed(1)} (${peak.toFixed(0)})`
  })
  return timeRow(title, {
    wall: median(runs.map(({ wall }) => wall)),
    peak: median(runs.map(peakOf)),
    parts: parts.join(', '),
  })
}

function peerRow(title: string, runs: readonly Peer[]): string {
  return timeRow(title, {
    wall: median(runs.map(({ wall }) => wall)),
    peak: median(runs.map(({ peak }) => peak)),
    parts: '',
  })
}

function timeRow(
  title: string,
  { wall, peak, parts }: { wall: number; peak: number; parts: string },
): string {
  return `| ${title} | ${wall.toFixed(1)} s | ${peak.toFixed(0)} MiB | ${parts} |`
}

/** Times and results of the real cells; each run once, the first as often as asked for. */
function real(runs: readonly RealRun[]) {
  const typed = new Map<string, { ours: string; sgd: string; lr: string }>()
  const times = { whole: [] as Ours[], labels: [] as Ours[], sgd: [] as Peer[], lr: [] as Peer[] }
  const labelsOnly = { umap: false, generate_plots: false }
  for (const { name, job } of runs) {
    for (let round = 0; round < (name === 'default' ? rounds : 1); round++) {
      const files = { sgd: join(folder, `${name}-sgd.h5ad`), lr: join(folder, `${name}-lr.h5ad`) }
      const found = ours(`${name}-labels`, { ...job, ...labelsOnly })
      const [sgd, lr] = [peer(files.sgd, { ...job, method: 'sgd' }), peer(files.lr, { ...job, method: 'lr' })]
      typed.set(name, { ours: found.h5ad, ...files })
      if (name !== 'default') continue
      times.whole.push(ours(`${name}-whole`, job))
      times.labels.push(found)
      times.sgd.push(sgd)
      times.lr.push(lr)
    }
  }
  return { typed, times }
}

/** Two references, a query of half the cells of one, a quarter of the genes. */
function simulated() {
  const place = join(folder, `simulated-${cells}`)
  if (!existsSync(join(place, 'query.h5ad'))) {
    mkdirSync(place, { recursive: true })
    const argv = ['bench/type-cells/simulate.py', place, cells, cells / 2, 2000, 500].map(String)
    execFileSync(python, argv, { cwd: root, stdio: ['ignore', 'inherit', 'ignore'] })
  }
  const job = {
    query: join(place, 'query.h5ad'),
    references: [join(place, 'reference-1.h5ad'), join(place, 'reference-2.h5ad')],
    label_columns: ['cell_type', 'cell_type'],
    annotation_prefix: 'typed',
    tissue: 'simulated',
  }
  return {
    whole: ours('simulated-whole', job),
    labels: ours('simulated-labels', { ...job, umap: false, generate_plots: false }),
    sgd: peer(join(folder, 'simulated-sgd.h5ad'), { ...job, method: 'sgd' }),
    job,
  }
}

if (!hasShared) throw new Error('this benchmark wants the real references and query beside the repository')
mkdirSync(folder, { recursive: true })
const { typed, times } = real(await realRuns(folder))
const quality = await qualityTables(typed)
const made = simulated()
const size = `two references of ${cells.toLocaleString('en')} cells x 2,000 genes, 30 types; query of ${(cells / 2).toLocaleString('en')} cells x 500`
const section = [
  `Machine: ${machine()}; ${times.sgd[0]!.versions}.`,
  `${today()}. Real cells: pbmc_sorted_zheng (2,140) and kang_ctrl (1,000) for pbmc4k (2,170 cells, 2,150 with a known type), 400 genes; times are medians of ${rounds}. Simulated: ${size}; once. Ours from the command line, a process for each step, five more trainings to calibrate included; the peer in one process, its imports included, without calibration, checks, map, report or tables.`,
  '',
  '| real cells | wall | peak of a step | seconds of each step (its peak, MiB) |',
  '|---|---|---|---|',
  oursRow('Celldrop: all of it, with map, plots and report', times.whole),
  oursRow('Celldrop without map and plots', times.labels),
  peerRow("peer, CellTypist's mini-batch SGD", times.sgd),
  peerRow('peer, lbfgs', times.lr),
  '',
  `| simulated, ${made.sgd.training.toLocaleString('en')} training cells | wall | peak of a step | seconds of each step (its peak, MiB) |`,
  '|---|---|---|---|',
  oursRow('Celldrop: all of it, with map, plots and report', [made.whole]),
  oursRow('Celldrop without map and plots', [made.labels]),
  peerRow("peer, CellTypist's mini-batch SGD", [made.sgd]),
  '',
  ...quality,
].join('\n')
console.log(section)
if (process.env.BENCH_CELLS === undefined) writeSection('type-cells', section)
