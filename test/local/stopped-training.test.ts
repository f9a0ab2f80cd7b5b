/**
 * Contract: Ctrl-C while a network is trained whose minibatches take about a second each, so that it comes in the middle of a run of onnxruntime.
 * The thread of a training must not be ended from within, which aborts its process (134): see lib/models/network-training-thread.ts.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import { random } from '../../lib/job/random.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

const main = resolve(import.meta.dirname, '../../lib/local/main.ts')
const [cells, genes, perCell] = [1500, 2000, 100]
/** As many cells as there are to learn from: an epoch is one step. */
const job = {
  ...{ workflow: 'fit-reference', atlas: 'atlas.h5ad', batch_key: 'sample', genes: 'all' },
  ...{ n_hidden: 1024, batch_size: cells, max_epochs: 3, umap: false, keep_cells: false },
}

function atlas(): AnnDataToWrite {
  const draw = random(3)
  const table = (rows: number) => ({ rows, indexName: '_index', index: names(rows), columns: new Map() })
  const indices = Int32Array.from(
    { length: cells * perCell },
    (_, i) => (i % perCell) * 20 + draw.integer(20),
  )
  const values = Float32Array.from(indices, () => 1 + draw.integer(9))
  const indptr = Int32Array.from({ length: cells + 1 }, (_, row) => row * perCell)
  const obs = table(cells)
  obs.columns.set('sample', { kind: 'string', values: names(cells).map((_, i) => `s${i % 2}`) })
  return {
    obs,
    var: table(genes),
    x: {
      ...{ rows: cells, columns: genes, type: 'float32', stored: values.length },
      async *slabs() {
        yield { start: 0, rows: cells, columns: genes, indptr, indices, values }
      },
    },
  }
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `n${i}`)

interface Run {
  child: ChildProcess
  lines: string[]
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
  await writeH5ad(join(folder.path, 'atlas.h5ad'), atlas())
})
afterAll(() => folder?.[Symbol.asyncDispose]())

/** @param onLine called with every line of stderr */
function train(name: string, onLine: (line: string, child: ChildProcess) => void = () => {}): Run {
  const flags = Object.entries({ ...job, name })
    .filter(([key]) => !['workflow', 'atlas'].includes(key))
    .flatMap(([key, value]) => {
      const flag = key.replaceAll('_', '-')
      return typeof value === 'boolean' ? [`--no-${flag}`] : [`--${flag}`, String(value)]
    })
  const argv = [main, job.workflow, job.atlas, ...flags, '--out', `results/${name}`]
  const child = spawn(process.execPath, argv, { cwd: folder.path, stdio: ['ignore', 'ignore', 'pipe'] })
  const lines: string[] = []
  createInterface({ input: child.stderr! }).on('line', (line) => {
    lines.push(line)
    onLine(line, child)
  })
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }))
  return { child, lines, ended }
}

const isTraining = (line: string) => /^Fit: \d+ %, training/.test(line)
const isStopping = (line: string) => line.startsWith('stopping: Fit ')

async function stepOf({ pid }: ChildProcess): Promise<number> {
  const { stdout } = await promisify(execFile)('pgrep', ['-P', String(pid)])
  return Number(stdout.trim())
}

function isAlive(id: number): boolean {
  try {
    return !readFileSync(`/proc/${id}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

async function isGone(id: number): Promise<void> {
  while (isAlive(id)) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** What a step said beside its progress: an abort of onnxruntime would stand here. */
function logOf(name: string): string {
  const logs = join(folder.path, '.celldrop/logs')
  return readdirSync(logs)
    .filter((file) => file.startsWith(`${name}-`) && file.endsWith('-Fit.log'))
    .map((file) => readFileSync(join(logs, file), 'utf8'))
    .join('')
}

const checkpoints = () =>
  readdirSync(join(folder.path, '.celldrop/work/steps/Fit'), { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.checkpoint'),
  )

describe('a training that is stopped by Ctrl-C in the middle of a run', () => {
  it('says what it waits for, keeps its state, ends with 130, and goes on from there', async () => {
    let isSent = false
    const run = train('kept', (line, child) => {
      if (isSent || !isTraining(line)) return
      isSent = child.kill('SIGINT')
    })
    expect(await run.ended).toEqual({ code: 130, signal: null })
    expect(run.lines.filter(isStopping)).toHaveLength(1)
    expect(run.lines.at(-3)).toMatch(/^INTERRUPTED: kept/)
    expect(run.lines.at(-1)).toContain('goes on from there')
    expect(logOf('kept')).toBe('')
    expect(checkpoints()).toHaveLength(1)
    const again = train('kept')
    expect(await again.ended).toEqual({ code: 0, signal: null })
    // the first epoch is not trained again
    expect(again.lines.find(isTraining)).toMatch(/^Fit: (?:[5-9]0|100) %/)
    expect(existsSync(join(folder.path, 'results/kept/result.json'))).toBe(true)
    expect(checkpoints()).toEqual([])
  }, 120_000)

  it('ends at once when it is told so again, by the signal and not by an abort, and so does its step', async () => {
    let step: Promise<number> | undefined
    const run = train('twice', (line, child) => {
      if (isTraining(line) && step === undefined) {
        step = stepOf(child)
        void step.then(() => child.kill('SIGINT'))
      }
      if (isStopping(line)) child.kill('SIGINT')
    })
    // which a shell tells as 130
    expect(await run.ended).toEqual({ code: null, signal: 'SIGINT' })
    await isGone(await step!)
    expect(logOf('twice')).toBe('')
  }, 120_000)

  it('keeps its state too when the command itself is killed', async () => {
    const before = checkpoints().length
    let step: Promise<number> | undefined
    const run = train('orphan', (line, child) => {
      if (step !== undefined || !isTraining(line)) return
      step = stepOf(child)
      void step.then(() => child.kill('SIGKILL'))
    })
    expect(await run.ended).toEqual({ code: null, signal: 'SIGKILL' })
    await isGone(await step!)
    expect(logOf('orphan')).toBe('')
    expect(checkpoints()).toHaveLength(before + 1)
  }, 120_000)
})
