/** Twin: a step of networks with learned library sizes, dispersions by label and logistic normal spaces has the loss and the gradients that PyTorch finds. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { NetworkTask } from '../../lib/models/network-task.ts'
import type { ScanviShape } from '../../lib/models/scanvi-network.ts'
import type { ScviShape } from '../../lib/models/scvi-network.ts'
import { oneStep, stepCells } from '../models/one-step.ts'

const python = process.env.CELLDROP_PYTHON ?? '/usr/bin/python3'
const torchMissing = `${python} has no torch (Debian: python3-torch)`

function hasTorch(): boolean {
  try {
    execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore', timeout: 120_000 })
    return true
  } catch {
    console.warn(`${torchMissing}: steps of networks are not checked against PyTorch`)
    return false
  }
}

const plain: ScviShape = {
  genes: 20,
  hidden: 8,
  latent: 3,
  layers: 1,
  categories: [2],
  continuous: 0,
  encodeCovariates: false,
  deeplyInject: true,
  batchNorm: 'both',
  layerNorm: 'none',
  dropout: 0,
  dispersion: 'gene',
  likelihood: 'zinb',
  labels: 0,
}
const forSurgery: ScviShape = {
  ...plain,
  ...{ layers: 2, encodeCovariates: true, deeplyInject: false, batchNorm: 'none', layerNorm: 'both' },
}
const scanvi = (shape: ScviShape): NetworkTask => ({
  kind: 'scanvi',
  shape: { ...shape, classes: 3, linearClassifier: false } satisfies ScanviShape,
  classificationRatio: 50,
  hasLabels: true,
})
const learned = { library: 'learned' } as const
const shares = { latentDistribution: 'ln' } as const
const byLabel = { dispersion: 'gene-label', labels: 3 } as const

const tasks: [string, NetworkTask][] = [
  ['scVI as it comes', { kind: 'scvi', shape: plain }],
  ['scVI that learns library sizes', { kind: 'scvi', shape: { ...plain, ...learned } }],
  ['the same for surgery, nb', { kind: 'scvi', shape: { ...forSurgery, ...learned, likelihood: 'nb' } }],
  ['scVI with dispersions by label', { kind: 'scvi', shape: { ...plain, ...byLabel } }],
  ['scVI in a logistic normal space', { kind: 'scvi', shape: { ...plain, ...shares } }],
  ['SCANVI in a logistic normal space', scanvi({ ...forSurgery, ...shares })],
  ['SCANVI that learns library sizes', scanvi({ ...plain, ...learned })],
  ['SCANVI for surgery with both', scanvi({ ...forSurgery, ...learned, ...byLabel })],
]

describe('a training step', () => {
  if (!hasTorch()) {
    it('is that of PyTorch', ({ skip }) => skip(torchMissing))
    return
  }
  it.each(tasks)('of %s is that of PyTorch', async (_, task) => {
    const cells = stepCells(9, { cells: 24, genes: 20, labels: 3 })
    const step = await oneStep(task, { cells, klWeight: 0.4, seed: 2 })
    const asked = {
      ...{ kind: task.kind, shape: task.shape, cells, klWeight: 0.4, noise: step.noise },
      weights: Object.fromEntries(
        [...step.weights].map(([name, { shape, data }]) => [name, { shape, data: [...data] }]),
      ),
    }
    const argv = [join(import.meta.dirname, 'network_step.py')]
    const output = execFileSync(python, argv, { encoding: 'utf8', input: JSON.stringify(asked) })
    const theirs = JSON.parse(output) as { loss: number; slopes: Record<string, number[]> }
    // log x! is a constant that the graph leaves out, and so does the script
    expect(step.loss / theirs.loss).toBeCloseTo(1, 5)
    expect([...step.slopes.keys()].sort()).toEqual(Object.keys(theirs.slopes).sort())
    for (const [name, slope] of Object.entries(theirs.slopes)) {
      const ours = step.slopes.get(name)!.data
      // a bias before a batch normalisation has no gradient but rounding, as large as its layer's are
      const layer = theirs.slopes[name.replace(/bias$/, 'weight')] ?? slope
      const most = Math.max(0.05, ...slope.map(Math.abs), ...layer.map(Math.abs))
      for (const [i, one] of slope.entries())
        expect(Math.abs(ours[i]! - one) / most, `${name} ${i}`).toBeLessThan(1e-4)
    }
  })
})
