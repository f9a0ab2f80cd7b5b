/** Peers: scikit-learn's mixtures, scipy's ranks, rank tests and normal tail, on samples made here. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { random } from '../../lib/job/random.ts'
import type { LabelledExpression } from '../../lib/labels/expression.ts'
import { fitMixture } from '../../lib/labels/gaussian-mixture.ts'
import { shareAbove } from '../../lib/labels/marker-enrichment.ts'
import { normalSurvival } from '../../lib/labels/normal-tail.ts'
import { rankGenes } from '../../lib/labels/rank-genes.ts'
import { findPython, pythonMissing } from '../support/python.ts'

const python = withStatistics(findPython())

function withStatistics(command: string | undefined): string | undefined {
  if (command === undefined) {
    console.warn(pythonMissing)
    return undefined
  }
  try {
    execFileSync(command, ['-c', 'import scipy.stats, sklearn.mixture'], { stdio: 'ignore', timeout: 60_000 })
    return command
  } catch {
    console.warn(`${command} has no scipy or scikit-learn: checks of label statistics are skipped`)
    return undefined
  }
}

function ask<Answer>(job: object): Answer {
  const answer = execFileSync(python!, [join(import.meta.dirname, 'label_statistics.py')], {
    input: JSON.stringify(job),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    // samples this small are slower with more threads
    env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
  })
  return JSON.parse(answer) as Answer
}

interface TheirMixture {
  means: number[]
  variances: number[]
  weights: number[]
  bound: number
  steps: number
}

const generator = random(2024)
const drawn = (size: number, draw: () => number) => Array.from({ length: size }, draw)
const samples = new Map<string, number[]>([
  [
    'three well parted states',
    [
      ...drawn(400, () => 0.2 + 0.1 * generator.normal()),
      ...drawn(400, () => 2 + 0.3 * generator.normal()),
      ...drawn(200, () => 4 + 0.3 * generator.normal()),
    ],
  ],
  [
    'dropouts and two overlapping states',
    [
      ...drawn(500, () => 0),
      ...drawn(300, () => Math.abs(1 + 0.5 * generator.normal())),
      ...drawn(300, () => 2.5 + 0.8 * generator.normal()),
    ],
  ],
  ['one skewed state', drawn(800, () => Math.exp(0.5 * generator.normal()))],
  ['few cells', drawn(40, () => 3 * generator.uniform())],
])

describe.runIf(python !== undefined)('a mixture', () => {
  it.each(
    [...samples].flatMap(([name, values]) => [2, 3].map((components) => ({ name, values, components }))),
  )('of $components components of $name is one that scikit-learn finds', ({ values, components }) => {
    const theirs = ask<TheirMixture[]>({
      what: 'mixture',
      values,
      components,
      seeds: [42, 0, 1, 2],
    })
    const fit = fitMixture(Float64Array.from(values), { components })
    if (fit.status !== 'fitted') throw new Error(fit.reason)
    const { means, variances, weights, logLikelihood } = fit.mixture
    const away = (their: TheirMixture) =>
      Math.max(...their.means.map((mean, k) => Math.abs(mean - means[k]!)))
    const nearest = theirs.toSorted((a, b) => away(a) - away(b))[0]!
    const spread = Math.max(...values) - Math.min(...values)
    // their own seeds stop at different places: the tolerance ends the steps long before the optimum
    expect(away(nearest)).toBeLessThan(0.02 * spread)
    for (let k = 0; k < components; k++) {
      expect(Math.abs(Math.sqrt(variances[k]!) - Math.sqrt(nearest.variances[k]!))).toBeLessThan(
        0.02 * spread,
      )
      expect(Math.abs(weights[k]! - nearest.weights[k]!)).toBeLessThan(0.03)
    }
    expect(logLikelihood).toBeGreaterThan(Math.min(...theirs.map(({ bound }) => bound)) - 2e-3)
  })
})

interface TheirGroup {
  z: number[]
  p: number[]
  adjusted: number[]
  fold: number[]
  mannWhitney: number[]
  auroc: number[]
}

function cellsOf(rows: number[][], groups: number[]): LabelledExpression {
  const [genes, kinds] = [rows[0]!.length, Math.max(...groups) + 1]
  const entries = rows.map((row) => [...row.keys()].filter((gene) => row[gene] !== 0))
  const indptr = new Float64Array(rows.length + 1)
  for (const [row, own] of entries.entries()) indptr[row + 1] = indptr[row]! + own.length
  const values = Float64Array.from(rows.flatMap((row, i) => entries[i]!.map((gene) => row[gene]!)))
  return {
    expression: {
      rows: rows.length,
      columns: genes,
      indptr,
      indices: Int32Array.from(entries.flat()),
      values,
    },
    genes: Array.from({ length: genes }, (_, gene) => `g${gene}`),
    codes: Int32Array.from(groups),
    labels: Array.from({ length: kinds }, (_, kind) => `kind ${kind}`),
  }
}

describe.runIf(python !== undefined)('ranked genes', () => {
  const groups = Array.from({ length: 300 }, (_, i) => (i % 7 === 0 ? 2 : i % 2))
  const sparse = groups.map((group) =>
    Array.from({ length: 25 }, (_, gene) =>
      generator.uniform() < 0.6
        ? 0
        : Math.round((generator.uniform() * 3 + (gene % 3 === group ? 1 : 0)) * 4) / 4,
    ),
  )
  const dense = groups.map((group) =>
    Array.from({ length: 25 }, (_, gene) => generator.uniform() + (gene === group ? 0.8 : 0) + 1e-3),
  )

  it.each([
    ['with many zeros and ties', sparse],
    ['without a tie', dense],
  ])('of a matrix %s have the z, p, adjusted p and fold changes of scipy and numpy', (_, rows) => {
    const theirs = ask<TheirGroup[]>({ what: 'ranks', rows, groups })
    const ours = rankGenes(cellsOf(rows, groups), { place: 'here' }).groups
    for (const [i, group] of ours.entries()) {
      if (group.status !== 'assessed') throw new Error(group.reason)
      for (let gene = 0; gene < 25; gene++) {
        expect(group.scores[gene]).toBeCloseTo(theirs[i]!.z[gene]!, 9)
        expect(Math.abs(group.pValues[gene]! / theirs[i]!.p[gene]! - 1)).toBeLessThan(1e-8)
        expect(Math.abs(group.adjusted[gene]! / theirs[i]!.adjusted[gene]! - 1)).toBeLessThan(1e-8)
        expect(group.foldChanges[gene]).toBeCloseTo(theirs[i]!.fold[gene]!, 9)
      }
    }
  })

  it('have the p values of the Mann-Whitney test: without ties as they are, with ties where corrected', () => {
    for (const [rows, tieCorrection] of [
      [dense, false],
      [sparse, true],
      [dense, true],
    ] as const) {
      const theirs = ask<TheirGroup[]>({ what: 'ranks', rows, groups })
      for (const [i, group] of rankGenes(cellsOf(rows, groups), {
        place: 'here',
        tieCorrection,
      }).groups.entries()) {
        if (group.status !== 'assessed') throw new Error(group.reason)
        for (const [gene, p] of theirs[i]!.mannWhitney.entries())
          expect(Math.abs(group.pValues[gene]! / p - 1)).toBeLessThan(1e-8)
      }
    }
  })

  it('and the share of pairs in order is the area that scikit-learn gives', () => {
    const theirs = ask<TheirGroup[]>({ what: 'ranks', rows: sparse, groups })
    for (const [kind, { auroc }] of theirs.entries()) {
      for (const [gene, area] of auroc.entries()) {
        const values = (isInside: boolean) =>
          Float64Array.from(
            sparse.flatMap((row, i) => ((groups[i] === kind) === isInside ? [row[gene]!] : [])),
          ).sort()
        expect(shareAbove(values(true), values(false))).toBeCloseTo(area, 12)
      }
    }
  })
})

describe.runIf(python !== undefined)('the tail of the normal distribution', () => {
  it("is scipy's to 12 digits, up to where scipy's doubles lose them", () => {
    const z = Array.from({ length: 1200 }, (_, i) => -7 + i * 0.037)
    const theirs = ask<number[]>({ what: 'tails', z })
    for (const [i, tail] of theirs.entries())
      if (tail > 1e-300) expect(Math.abs(normalSurvival(z[i]!) / tail - 1)).toBeLessThan(1e-12)
      else expect(normalSurvival(z[i]!)).toBeLessThan(1.1e-300)
  })
})
