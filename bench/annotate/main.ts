/**
 * `npm run bench:annotate`: the whole road on this machine, `celldrop annotate` as a user runs it, from a cold start: the largest real
 * query at hand with a real CellTypist model, and the same cells many times over for 100,000 cells. Its peer is what the same
 * work takes in Python (scanpy is not in Debian): reading, normalising, scoring as CellTypist does, PCA, neighbours, UMAP and writing.
 * Fills the section "annotate" of BENCHMARKS.md.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { hasShared, sharedPath } from '../../test/support/shared.ts'
import { machine, median, today, writeSection } from '../section.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = join(root, 'bench/.cache/annotate')
const real = sharedPath('data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad')
const main = join(root, 'lib/local/main.ts')
const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const manyCells = Number(process.env.BENCH_CELLS ?? 100_000)
const fewerCells = manyCells / 5

interface Step {
  step: string
  seconds: number
  peakMemoryMiB: number
}
interface Run {
  wall: number
  steps: Step[]
}

function celldrop(words: string[], cwd: string): void {
  const { status, stderr } = spawnSync(process.execPath, [main, ...words], { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`celldrop ${words.join(' ')} ended with ${status}: ${stderr}`)
}

/** A folder of its own each time: nothing that was finished before is found. */
function annotate(query: string, round: number): Run {
  const place = join(folder, `run-${round}`)
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place, { recursive: true })
  const begun = performance.now()
  celldrop(
    ['annotate', query, '--model', 'sorted', '--models', join(folder, 'models'), '--out', 'out'],
    place,
  )
  const wall = (performance.now() - begun) / 1000
  const { timings } = JSON.parse(readFileSync(join(place, 'out/result.json'), 'utf8')) as { timings: Step[] }
  rmSync(place, { recursive: true, force: true })
  return { wall, steps: timings }
}

function peer(query: string): { wall: number; peak: number; versions: string } {
  const out = execFileSync(
    python,
    [
      'bench/annotate/peer.py',
      query,
      sharedPath('golden/celltypist/pbmc_sorted_lr.pkl'),
      join(folder, 'peer.h5ad'),
    ],
    {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  return JSON.parse(out.trim().split('\n').at(-1)!) as ReturnType<typeof peer>
}

function row(title: string, runs: readonly Run[], peers: readonly ReturnType<typeof peer>[]): string {
  const wall = median(runs.map((run) => run.wall))
  const peak = median(runs.map((run) => Math.max(...run.steps.map((step) => step.peakMemoryMiB))))
  const parts = runs[0]!.steps.map(
    ({ step }, i) => `${step} ${median(runs.map((run) => run.steps[i]!.seconds)).toFixed(1)}`,
  )
  const theirs = median(peers.map((run) => run.wall))
  const beside =
    peers.length === 0
      ? ['', '', '']
      : [
          `${theirs.toFixed(1)} s`,
          `${(theirs / wall).toFixed(1)} x`,
          `${median(peers.map((run) => run.peak)).toFixed(0)} MiB`,
        ]
  return `| ${title} | ${wall.toFixed(1)} s | ${beside[0]} | ${beside[1]} | ${peak.toFixed(0)} MiB | ${beside[2]} | ${parts.join(', ')} |`
}

/** The cells of the real query over and over. */
function repeated(cells: number): string {
  const path = join(folder, `pbmc-${cells}.h5ad`)
  const argv = ['bench/annotate/many.py', real, path, String(cells)]
  if (!existsSync(path)) execFileSync(python, argv, { cwd: root, stdio: 'inherit' })
  return path
}

if (!hasShared) throw new Error('this benchmark wants the real query and model beside the repository')
mkdirSync(folder, { recursive: true })
rmSync(join(folder, 'models'), { recursive: true, force: true })
const pickle = sharedPath('golden/celltypist/pbmc_sorted_lr.pkl')
celldrop(['import-model', pickle, '--name', 'sorted', '--models', join(folder, 'models')], folder)
const smallRuns: Run[] = []
const smallPeers: ReturnType<typeof peer>[] = []
for (let round = 0; round < rounds; round++) {
  smallRuns.push(annotate(real, round))
  smallPeers.push(peer(real))
}
const fewer = repeated(fewerCells)
const fewerRuns = [annotate(fewer, rounds)]
const fewerPeers = [peer(fewer)]
const manyRuns = [annotate(repeated(manyCells), rounds)]
const section = [
  `Machine: ${machine()}; ${smallPeers[0]!.versions}.`,
  `${today()}, median of ${rounds}; the others once. Model: 9 labels x 8863 genes. Ours from the command line to result.json, report and table included, a process for each step; the peer in one process, without report, table, voting or ontology.`,
  '',
  '| query | Celldrop | peer | ratio | peak of a step | peer | seconds of each step |',
  '|---|---|---|---|---|---|---|',
  row('pbmc4k: 2,170 cells x 33,694 genes (7 MB)', smallRuns, smallPeers),
  row(`the same cells over and over: ${fewerCells} cells`, fewerRuns, fewerPeers),
  row(`the same: ${manyCells} cells`, manyRuns, []),
].join('\n')
console.log(section)
if (process.env.BENCH_CELLS === undefined) writeSection('annotate', section)
