/**
 * Our side of bench/scoring, in a process of its own. Prints one JSON line.
 *
 *   ours.ts generate FOLDER CELLS GENES PER_CELL LABELS MODEL_GENES   rows and model as plain numbers, both sides read them
 *   ours.ts score FOLDER                                              genes of the model, scores
 *   ours.ts stream CELLS GENES PER_CELL LABELS MODEL_GENES            rows made on the fly, only labels kept
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import type { RowSlab } from '../../lib/data/cells.ts'
import { type Random, random } from '../../lib/job/random.ts'
import { bestMatch } from '../../lib/labels/match.ts'
import { type LinearArrays, type LinearModel, makeLinearModel } from '../../lib/models/linear-model.ts'
import { createLinearScorer } from '../../lib/models/linear-scorer.ts'
import { alignRows } from '../../lib/prep/align-genes.ts'

interface Sizes {
  cells: number
  genes: number
  perCell: number
  labels: number
  modelGenes: number
}

const [command = '', ...rest] = process.argv.slice(2)
const slabRows = 2_000

function sizesOf(given: string[]): Sizes {
  const [cells = 0, genes = 0, perCell = 0, labels = 0, modelGenes = 0] = given.map(Number)
  return { cells, genes, perCell, labels, modelGenes }
}

/** Rows of `perCell` entries each, spread evenly, with values as logs of normalised counts are. */
function makeRows(draw: Random, rows: number, { genes, perCell }: Sizes): RowSlab {
  const step = genes / perCell
  const indices = new Int32Array(rows * perCell)
  const values = new Float32Array(rows * perCell)
  for (let i = 0; i < indices.length; i++) {
    indices[i] = Math.floor(((i % perCell) + draw.uniform()) * step)
    values[i] = 0.3 + 4 * draw.uniform()
  }
  const indptr = Float64Array.from({ length: rows + 1 }, (_, row) => row * perCell)
  return { start: 0, rows, columns: genes, indptr, indices, values }
}

function makeArrays({ labels, modelGenes }: Sizes): LinearArrays {
  const draw = random(2)
  const fill = (length: number, value: () => number) => Float64Array.from({ length }, value)
  return {
    weights: fill(labels * modelGenes, () => 0.1 * draw.normal()),
    intercept: fill(labels, () => draw.normal()),
    mean: fill(modelGenes, () => draw.uniform()),
    scale: fill(modelGenes, () => 0.3 + draw.uniform()),
  }
}

/** For each column of the rows the model's gene, or -1: genes of the model are drawn from the columns. */
function makeTarget({ genes, modelGenes }: Sizes): Int32Array {
  const chosen = random(3)
    .shuffle(Array.from({ length: genes }, (_, gene) => gene))
    .slice(0, modelGenes)
    .sort((a, b) => a - b)
  const target = new Int32Array(genes).fill(-1)
  chosen.forEach((column, gene) => {
    target[column] = gene
  })
  return target
}

function modelOf(arrays: LinearArrays): LinearModel {
  const named = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`)
  const facts = {
    name: 'bench',
    genes: named('gene', arrays.mean.length),
    labels: named('label', arrays.intercept.length),
    ...({ organism: 'Homo sapiens', geneIds: 'symbol', loss: 'ovr', clip: 10, centred: true } as const),
    ...{ ontology: {}, labelsSource: '', licence: '', source: '', details: '', url: '', version: '' },
    ...{ classifiers: ['default'], metrics: {}, created: '' },
    trained: { how: '', estimator: 'LogisticRegression', date: '', cells: null, parameters: {} } as const,
  }
  return makeLinearModel(facts, arrays)
}

function generate(folder: string, sizes: Sizes): object {
  mkdirSync(folder, { recursive: true })
  const draw = random(1)
  const [indices, values] = ['indices', 'values'].map((name) => openSync(join(folder, name), 'w'))
  for (let start = 0; start < sizes.cells; start += slabRows) {
    const slab = makeRows(draw, Math.min(slabRows, sizes.cells - start), sizes)
    writeSync(indices!, slab.indices)
    writeSync(values!, slab.values as Float32Array)
  }
  closeSync(indices!)
  closeSync(values!)
  for (const [name, array] of Object.entries(makeArrays(sizes))) writeFileSync(join(folder, name), array)
  writeFileSync(join(folder, 'target'), makeTarget(sizes))
  writeFileSync(join(folder, 'sizes.json'), JSON.stringify(sizes))
  return {}
}

/** A file of plain numbers, read straight into its array. */
function load<Numbers extends Int32Array | Float32Array | Float64Array>(
  path: string,
  make: new (length: number) => Numbers,
): Numbers {
  const size = statSync(path).size
  const array = new make(size / make.prototype.BYTES_PER_ELEMENT)
  const file = openSync(path, 'r')
  for (let at = 0; at < size; ) at += readSync(file, array, at, Math.min(size - at, 2 ** 28), at)
  closeSync(file)
  return array
}

function score(folder: string): object {
  const sizes: Sizes = JSON.parse(readFileSync(join(folder, 'sizes.json'), 'utf8'))
  const at = (name: string) => join(folder, name)
  const indices = load(at('indices'), Int32Array)
  const values = load(at('values'), Float32Array)
  const target = load(at('target'), Int32Array)
  const model = modelOf({
    weights: load(at('weights'), Float64Array),
    intercept: load(at('intercept'), Float64Array),
    mean: load(at('mean'), Float64Array),
    scale: load(at('scale'), Float64Array),
  })
  const base = process.memoryUsage().rss
  const started = performance.now()
  let aligning = 0
  const scorer = createLinearScorer(model, new Uint8Array(sizes.modelGenes).fill(1))
  const scores = new Float64Array(sizes.cells * sizes.labels)
  for (let start = 0; start < sizes.cells; start += slabRows) {
    const rows = Math.min(slabRows, sizes.cells - start)
    const [from, to] = [start * sizes.perCell, (start + rows) * sizes.perCell]
    const indptr = Float64Array.from({ length: rows + 1 }, (_, row) => row * sizes.perCell)
    const part = { indptr, indices: indices.subarray(from, to), values: values.subarray(from, to) }
    const before = performance.now()
    const aligned = alignRows(
      { start, rows, columns: sizes.genes, ...part },
      { target, genes: sizes.modelGenes, order: 'any' },
    )
    aligning += performance.now() - before
    scores.set(scorer.score(aligned), start * sizes.labels)
  }
  const seconds = (performance.now() - started) / 1000
  const best = bestMatch(scores, sizes.labels)
  return {
    seconds,
    select_seconds: aligning / 1000,
    peak_mib: peakMiB() - base / 2 ** 20,
    first: [...scores.subarray(0, sizes.labels)],
    best: best.reduce((sum, code) => sum + code, 0),
  }
}

function stream(sizes: Sizes): object {
  const draw = random(1)
  const target = makeTarget(sizes)
  const scorer = createLinearScorer(modelOf(makeArrays(sizes)), new Uint8Array(sizes.modelGenes).fill(1))
  const labels = new Int32Array(sizes.cells)
  let scoring = 0
  for (let start = 0; start < sizes.cells; start += slabRows) {
    const slab = makeRows(draw, Math.min(slabRows, sizes.cells - start), sizes)
    const before = performance.now()
    const scores = scorer.score(alignRows(slab, { target, genes: sizes.modelGenes, order: 'any' }))
    labels.set(bestMatch(scores, sizes.labels), start)
    scoring += performance.now() - before
  }
  return { seconds: scoring / 1000, peak_mib: peakMiB() }
}

/** of the whole process since it began */
function peakMiB(): number {
  return process.resourceUsage().maxRSS / 1024
}

function run(): object {
  const [first = '', ...others] = rest
  if (command === 'generate') return generate(first, sizesOf(others))
  return command === 'score' ? score(first) : stream(sizesOf(rest))
}

console.log(JSON.stringify(run()))
