/**
 * `npm run demo`: the main job on a laptop, from nothing. Makes a labelled reference and a query of another laboratory, trains a model,
 * drops the query into an inbox and lets `celldrop watch` find it, as it would find a file that a person drops. Everything stays in demo/, or
 * in the folder that is named.
 */
import { spawn } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { columnTexts } from '../../lib/data/column-texts.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'
import { openStore } from '../../lib/job/open-store.ts'
import { random } from '../../lib/job/random.ts'
import { loadGenes } from '../../lib/knowledge/genes.ts'
import { matchLabels } from '../../lib/knowledge/ontology-match.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { trainLinear } from '../../lib/models/train-linear.ts'
import { collectGenes } from '../../lib/prep/collect-genes.ts'
import { geneMoments } from '../../lib/prep/gene-moments.ts'
import { normalisedRows } from '../../lib/prep/normalise.ts'
import { makeGenome, simulate, unseenType } from './simulate.ts'

const root = resolve(import.meta.dirname, '../..')
const folder = resolve(process.argv[2] ?? join(root, 'demo'))
const seed = 7
const model = 'demo-blood'

const begun = performance.now()
await rm(folder, { recursive: true, force: true })
await mkdir(folder, { recursive: true })
await makeCells()
await train()
await dropAndWatch()
await tell()

async function makeCells(): Promise<void> {
  say('simulating a reference of 3,000 cells and a query of 2,000 from another laboratory')
  const chance = random(seed)
  const { symbols } = await loadGenes('Homo sapiens')
  const genome = makeGenome(symbols(), { random: chance.fork('genome'), size: 3000 })
  const reference = simulate(genome, {
    cells: 3000,
    without: unseenType,
    depth: 4000,
    shift: 0,
    random: chance.fork('reference'),
  })
  const query = simulate(genome, { cells: 2000, depth: 2500, shift: 0.25, random: chance.fork('query') })
  await writeH5ad(join(folder, 'reference.h5ad'), reference.cells)
  await writeH5ad(join(folder, 'query.h5ad'), query.cells)
}

async function train(): Promise<void> {
  say('training a model on the reference')
  const file = await openCells(join(folder, 'reference.h5ad'))
  const matrix = await file.matrix('X')
  const labels = columnTexts((await file.obs()).columns.get('cell_type')!)!
  const distinct = [...new Set(labels)].sort()
  const rows = () => normalisedRows(matrix, { from: 'counts' })
  const { detected } = await geneMoments(rows(), { columns: matrix.columns })
  const ranked = Int32Array.from({ length: matrix.columns }, (_, gene) => gene)
  const cells = await collectGenes(rows(), { cells: matrix.rows, ranked, detected, place: 'reference' })
  const terms = await matchLabels(distinct)
  const trained = await trainLinear(cells, {
    codes: Int32Array.from(labels, (label) => distinct.indexOf(label)),
    labels: distinct,
    genes: (await file.var()).index,
    facts: {
      name: model,
      version: '1',
      organism: 'Homo sapiens',
      geneIds: 'symbol',
      ontology: Object.fromEntries(
        terms.map(({ label, id, name, tier }) => [
          label,
          id === null ? null : { id, name: name ?? label, tier },
        ]),
      ),
      licence: 'CC0-1.0',
      source: 'simulated by npm run demo',
      details: 'Blood cells that never lived: for trying Celldrop, not for annotating real data',
      created: '2026-01-01T00:00:00Z',
    },
  })
  await file.close()
  await saveModel(await openStore(join(folder, 'models')), trained)
}

async function dropAndWatch(): Promise<void> {
  say(
    `dropping the query into the inbox: ${relative(process.cwd(), join(folder, 'inbox/annotate/query.h5ad'))}`,
  )
  const inbox = join(folder, 'inbox', 'annotate')
  await mkdir(inbox, { recursive: true })
  await copyFile(join(folder, 'query.h5ad'), join(inbox, 'query.h5ad.part'))
  await rename(join(inbox, 'query.h5ad.part'), join(inbox, 'query.h5ad'))
  await celldrop(['watch', 'inbox', '--once', '--models', 'models', '--model', model])
}

/** The command line itself, as a user has it. */
function celldrop(words: string[]): Promise<void> {
  process.stderr.write(`$ celldrop ${words.join(' ')}\n`)
  const main = join(root, 'lib/local/main.ts')
  const child = spawn(process.execPath, [main, ...words], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return new Promise((done, failed) => {
    child.on('error', failed)
    child.on('exit', (code, signal) => {
      if (code === 0) done()
      else failed(new Error(`celldrop ended with ${code ?? signal}`))
    })
  })
}

async function tell(): Promise<void> {
  const jobs = join(folder, 'results', 'jobs')
  const [job] = await readdir(jobs)
  const results = join(jobs, job!, 'attempt-1')
  const { outputs } = JSON.parse(await readFile(join(results, 'result.json'), 'utf8')) as {
    outputs: Record<string, string>
  }
  const file = await openCells(join(results, outputs.h5ad!))
  const { columns } = await file.obs()
  await file.close()
  const truth = columnTexts(columns.get('cell_type')!)!
  const predicted = columnTexts(columns.get('cxg_cell_type_predicted')!)!
  const uncertainty = columns.get('cxg_cell_type_predicted_uncertainty')!
  const unsure = uncertainty.kind === 'number' ? Array.from(uncertainty.values as Float32Array) : []
  const known = truth.map((label) => label !== unseenType)
  const right = truth.filter((label, cell) => known[cell] && label === predicted[cell]).length
  const mean = (wanted: boolean) => {
    const values = unsure.filter((_, cell) => known[cell] === wanted)
    return values.reduce((sum, value) => sum + value, 0) / values.length
  }
  const cells = known.filter(Boolean).length
  const lines = [
    '',
    `done in ${((performance.now() - begun) / 1000).toFixed(0)} s`,
    `accuracy     ${((100 * right) / cells).toFixed(1)} % of ${cells} cells of types that the reference has`,
    `uncertainty  ${mean(true).toFixed(2)} on average for these, ${mean(false).toFixed(2)} for the ${truth.length - cells} cells of "${unseenType}", which it has not`,
    `report       ${relative(process.cwd(), join(results, 'report.html'))}`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}
