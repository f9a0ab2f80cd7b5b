/**
 * Oracle: scikit-learn's own SGDClassifier on the same standardised cells, filled in. Same seeds, hence same orders, same samples
 * and same stops: the weights agree to rounding. Cells are sparse here, and no zero is filled in.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { random } from '../../lib/job/random.ts'
import { fitSgd } from '../../lib/models/celltypist-sgd.ts'
import { makeLinearModel } from '../../lib/models/linear-model.ts'
import { modelFiles } from '../../lib/models/model-files.ts'
import { numpyRandom } from '../../lib/models/numpy-random.ts'
import { beginSgd, fitSgdClassifier, partialFit, type SgdModel } from '../../lib/models/sgd.ts'
import { type DescentCells, descentCells } from '../../lib/models/sgd-pass.ts'
import {
  type StandardisedCells,
  standardise,
  type TrainingRows,
} from '../../lib/models/standardised-cells.ts'
import { labelledCells } from '../models/labelled-cells.ts'
import { factsFor } from '../models/toy-model.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const python = '/usr/bin/python3'
const missing = 'no /usr/bin/python3 with scikit-learn (Debian: python3-sklearn)'

interface Told {
  weights: number[]
  intercept: number[]
  clock: number
  epochs: number
}

function hasSklearn(): boolean {
  try {
    execFileSync(python, ['-c', 'import sklearn'], { stdio: 'ignore', timeout: 120_000 })
    return true
  } catch {
    console.warn(`${missing}: descent is not compared with scikit-learn`)
    return false
  }
}

function filledIn({ rows, columns, indptr, indices, lifted, zero }: StandardisedCells): Float64Array {
  const dense = new Float64Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    dense.set(zero, row * columns)
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++)
      dense[row * columns + indices[i]!] = lifted[i]! + zero[indices[i]!]!
  }
  return dense
}

function loggedCells({ rows, columns, indptr, indices, values }: TrainingRows): Float64Array {
  const dense = new Float64Array(rows * columns)
  for (let row = 0; row < rows; row++)
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) dense[row * columns + indices[i]!] = values[i]!
  return dense
}

/** Largest difference, in parts of the largest number. */
function distance(found: Pick<SgdModel, 'weights' | 'intercept'>, wanted: Told): number {
  const [a, b] = [
    [...found.weights, ...found.intercept],
    [...wanted.weights, ...wanted.intercept],
  ]
  expect(a.length).toBe(b.length)
  const largest = Math.max(...b.map(Math.abs))
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / largest
}

/** Two samples out of one stream of numbers, the second balanced, cut into batches. */
async function batchesOf(
  cells: DescentCells,
  {
    codes,
    labels,
    alpha,
    seed,
    sample,
    batch,
  }: Record<'labels' | 'alpha' | 'seed' | 'sample' | 'batch', number> & { codes: Int32Array },
): Promise<SgdModel> {
  const generator = numpyRandom(seed)
  const model = beginSgd({ genes: cells.columns, labels })
  const counts = new Int32Array(labels)
  for (const code of codes) counts[code]! += 1
  const shares = Float64Array.from(codes, (code) => 1 / (counts[code]! * labels))
  for (const isBalanced of [false, true]) {
    const drawn = isBalanced
      ? generator.choice(sample, shares)
      : generator.permutation(codes.length).subarray(0, sample)
    for (let start = 0; start < sample; start += batch)
      await partialFit(model, { cells, rows: drawn.subarray(start, start + batch), codes, alpha, generator })
  }
  return model
}

/** Rounding grows in the first, large steps: 2e-10 was seen. */
const tolerance = 1e-8

const loader = `
import json, pickle, sys, warnings
from pathlib import Path
warnings.simplefilter('error')
import numpy as np
read = lambda ending: Path(sys.argv[1] + ending).read_bytes()
root = pickle.loads(read('.pkl'))
about, colours = json.loads(read('_celltypist.json')), json.loads(read('_colors.json'))
model = root['Model']
cells = np.fromfile(sys.argv[2]).reshape(-1, len(model.features))
scaled = np.minimum(root['Scaler_'].transform(cells), 10)
print(json.dumps({
  'class': type(model).__name__, 'predicted': list(model.predict(scaled)),
  'genes': list(model.features) == about['genes'], 'labels': list(model.classes_) == about['cell_types'],
  'colours': sorted(colours) == about['cell_types'], 'alpha': model.alpha, 'max_iter': model.max_iter,
}))
`

describe('stochastic gradient descent', () => {
  if (!hasSklearn()) {
    test('is that of scikit-learn', ({ skip }) => skip(missing))
    return
  }

  test.each([
    { labels: 4, seed: 0, alpha: 1e-4 },
    { labels: 4, seed: 2 ** 32 - 1, alpha: 1e-4 },
    { labels: 2, seed: 42, alpha: 1e-4 },
    { labels: 3, seed: 5, alpha: 1e-2 },
    // the first step takes all of the weights away
    { labels: 3, seed: 6, alpha: 1 },
  ])(
    'of $labels labels is that of scikit-learn with random_state $seed, alpha $alpha',
    async ({ labels, seed, alpha }) => {
      await using folder = await temporaryFolder()
      const { cells, codes } = labelledCells(random(11), { rows: 300, genes: 60, labels })
      const standard = standardise(cells)
      const [epochs, sample, batch] = [40, 250, 64]
      writeFileSync(join(folder.path, 'cells.bin'), filledIn(standard))
      const asked = { rows: cells.rows, codes: [...codes], seed, alpha, epochs, sample, batch }
      writeFileSync(join(folder.path, 'asked.json'), JSON.stringify(asked))
      const wanted = JSON.parse(
        execFileSync(python, [join(import.meta.dirname, 'sgd.py'), folder.path], { encoding: 'utf8' }),
      ) as Record<'seeded' | 'inOrder' | 'batches', Told>

      const options = { codes, labels, alpha, mostEpochs: epochs }
      const generator = numpyRandom(seed)
      const seeded = await fitSgdClassifier(descentCells(standard), { ...options, generator })
      const inOrder = await fitSgdClassifier(descentCells(standard), options)
      expect(distance(seeded, wanted.seeded)).toBeLessThan(tolerance)
      expect(distance(inOrder, wanted.inOrder)).toBeLessThan(tolerance)
      const batches = await batchesOf(descentCells(standard), { codes, labels, alpha, seed, sample, batch })
      expect(distance(batches, wanted.batches)).toBeLessThan(tolerance)
      expect(batches.clock).toBe(wanted.batches.clock)
      expect(seeded).toMatchObject({ epochs: wanted.seeded.epochs, clock: wanted.seeded.clock })
      expect(inOrder).toMatchObject({ epochs: wanted.inOrder.epochs, clock: wanted.inOrder.clock })
    },
  )

  test('leaves files that Python loads as such a classifier, and that gives the cells it learned from their labels', async () => {
    await using folder = await temporaryFolder()
    const { cells, codes } = labelledCells(random(8), { rows: 200, genes: 30, labels: 3 })
    const fit = await fitSgd(cells, { codes, labels: 3, seed: 42 })
    const facts = factsFor(
      Array.from({ length: 30 }, (_, gene) => `gene${gene}`),
      ['a/b', 'B cell', 'β cell'].sort(),
    )
    const trained = {
      ...facts.trained,
      estimator: 'SGDClassifier' as const,
      parameters: { alpha: 1e-4, max_iter: 1000 },
    }
    const model = makeLinearModel({ ...facts, trained }, fit)
    const colours = new Map(model.card.labels.map((label) => [label, '#F5252F']))
    for (const { name, bytes } of modelFiles(model, { training: undefined, colours }))
      writeFileSync(join(folder.path, name), bytes)
    writeFileSync(join(folder.path, 'cells.bin'), loggedCells(cells))
    const argv = ['-c', loader, join(folder.path, 'toy'), join(folder.path, 'cells.bin')]
    const found = JSON.parse(execFileSync(python, argv, { encoding: 'utf8' }))
    const { predicted, ...rest } = found as { predicted: string[] }
    expect(rest).toEqual({
      ...{ class: 'SGDClassifier', genes: true, labels: true, colours: true, alpha: 1e-4, max_iter: 1000 },
    })
    const right = predicted.filter((label, row) => label === model.card.labels[codes[row]!]).length
    expect(right / 200).toBeGreaterThan(0.95)
  })
})
