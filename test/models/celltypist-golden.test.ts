/**
 * Oracle: five real models on 2,170 real cells, as CellTypist 1.7.1 labelled them (scikit-learn 1.2.1; ../shared/golden/celltypist):
 * scores, probabilities, best and prob match, confidence, votes on its own clusters and on the authors'.
 *
 * Tolerances are the ones recorded with them: the reference is float32, and computed on float32 logs.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import type { RowSlab } from '../../lib/data/cells.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { confidence, uncertainty } from '../../lib/labels/confidence.ts'
import { heterogeneous, majorityVote } from '../../lib/labels/majority-vote.ts'
import { bestMatch, probabilityMatch, unassigned } from '../../lib/labels/match.ts'
import { probabilitiesOf } from '../../lib/labels/probabilities.ts'
import { importCelltypist } from '../../lib/models/celltypist-import.ts'
import type { LinearModel } from '../../lib/models/linear-model.ts'
import { createLinearScorer } from '../../lib/models/linear-scorer.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const golden = (name: string): string => sharedPath('golden/celltypist', name)

/** A table of text; fields may be quoted and then hold commas. */
function readTable(name: string): { header: string[]; rows: string[][] } {
  const lines = gunzipSync(readFileSync(golden(name)))
    .toString()
    .trimEnd()
    .split(/\r?\n/)
  const [header = [], ...rows] = lines.map((line) =>
    [...line.matchAll(/("[^"]*"|[^,]*)(?:,|$)/g)]
      .map(([, field = '']) => field.replace(/^"|"$/g, ''))
      .slice(0, -1),
  )
  return { header, rows }
}

function readMatrix(name: string): number[][] {
  return readTable(name).rows.map((row) => row.slice(1).map(Number))
}

interface Query {
  genes: string[]
  /** counts, all genes */
  slabs: RowSlab[]
}

async function readQuery(): Promise<Query> {
  const file = await openCells(sharedPath('data/pbmc4k_query/pbmc4k_soupx_labelled.h5ad'))
  const slabs: RowSlab[] = []
  for await (const slab of (await file.matrix('X')).slabs()) slabs.push(slab)
  const genes = (await file.var()).index
  await file.close()
  return { genes, slabs }
}

/** log1p of counts scaled to 10,000 over all genes, then the model's genes alone, by name. */
function normalised(slab: RowSlab, target: Int32Array, columns: number): RowSlab {
  const indptr = new Int32Array(slab.rows + 1)
  const indices: number[] = []
  const values: number[] = []
  for (let row = 0; row < slab.rows; row++) {
    const [start, end] = [slab.indptr[row]!, slab.indptr[row + 1]!]
    let total = 0
    for (let i = start; i < end; i++) total += slab.values[i]!
    for (let i = start; i < end; i++) {
      const gene = target[slab.indices[i]!]!
      if (gene < 0) continue
      indices.push(gene)
      values.push(Math.log1p((slab.values[i]! / total) * 1e4))
    }
    indptr[row + 1] = indices.length
  }
  return {
    ...slab,
    columns,
    indptr,
    indices: Int32Array.from(indices),
    values: Float32Array.from(values),
  }
}

function scoreQuery(model: LinearModel, query: Query): Float64Array {
  const places = new Map(model.card.genes.map((gene, i) => [gene, i]))
  const target = Int32Array.from(query.genes, (gene) => places.get(gene) ?? -1)
  const present = new Uint8Array(places.size)
  for (const gene of target) if (gene >= 0) present[gene] = 1
  const scorer = createLinearScorer(model, present)
  const parts = query.slabs.map((slab) => scorer.score(normalised(slab, target, places.size)))
  return Float64Array.from(parts.flatMap((part) => [...part]))
}

/** Clusters as numbers, by name. */
function clustersOf(names: string[]): Int32Array {
  const known = new Map([...new Set(names)].map((name, i) => [name, i]))
  return Int32Array.from(names, (name) => known.get(name) ?? -1)
}

/** How far a score may be off: the larger of both. Scores of the SGD model go from -18,000 to 12,000. */
const tolerances = {
  regression: { absolute: 2e-4, relative: 0 },
  descent: { absolute: 2e-3, relative: 1e-5 },
}

const models = [
  { name: 'pbmc_sorted_lr', tolerance: tolerances.regression },
  { name: 'pbmc_sorted_sgd_minibatch', tolerance: tolerances.descent },
  { name: 'pbmc_sorted_lr_fs100', tolerance: tolerances.regression },
  { name: 'pbmc_sorted_lr_2class', tolerance: tolerances.regression },
  {
    name: 'lung31',
    tolerance: tolerances.regression,
    file: sharedPath('data/models/celltypist_lung31_popv.pkl'),
  },
]

describe('real models on real cells', () => {
  if (!hasShared) {
    test('are compared with CellTypist', ({ skip }) =>
      skip('real data are not beside this repository (../shared)'))
    return
  }
  let query: Query
  beforeAll(async () => {
    query = await readQuery()
  })

  describe.each(models)('$name', ({ name, tolerance, file = golden(`${name}.pkl`) }) => {
    let model: LinearModel
    let scores: Float64Array
    let probabilities: Float64Array
    let labels: string[]
    const table = readTable(`${name}.labels.csv.gz`)
    const column = (heading: string): string[] => table.rows.map((row) => row[table.header.indexOf(heading)]!)

    beforeAll(() => {
      const created = '2026-01-01T00:00:00Z'
      const facts = { name, organism: 'Homo sapiens', licence: '', source: '', ontology: new Map(), created }
      model = importCelltypist(readFileSync(file), facts).model
      labels = model.card.labels
      scores = scoreQuery(model, query)
      probabilities = probabilitiesOf(scores, { labels: model.card.labels.length, loss: model.card.loss })
    })

    test('has the scores and probabilities of every cell', () => {
      const wanted = readMatrix(`${name}.decision.csv.gz`)
      const shares = readMatrix(`${name}.probability.csv.gz`)
      expect(scores.length).toBe(2170 * labels.length)
      expect(wanted.map((row) => row.length)).toEqual(new Array(2170).fill(labels.length))
      let beyond = 0
      scores.forEach((found, i) => {
        const [cell, label] = [Math.floor(i / labels.length), i % labels.length]
        const [score, share] = [wanted[cell]![label]!, shares[cell]![label]!]
        const mayDiffer = Math.max(tolerance.absolute, tolerance.relative * Math.abs(score))
        const isClose = Math.abs(found - score) <= mayDiffer && Math.abs(probabilities[i]! - share) <= 1e-5
        if (!isClose) beyond++
      })
      expect(beyond).toBe(0)
    })

    test('gives every cell its best match, and the matches above one half', () => {
      expect(Array.from(bestMatch(scores, labels.length), (code) => labels[code])).toEqual(
        column('best_match'),
      )
      // CellTypist cuts "Unassigned" to the width of the longest label it found
      const cut = column('prob_match_p0.5').map((label) => (label === 'U' ? unassigned : label))
      expect(probabilityMatch(probabilities, { threshold: 0.5, labels })).toEqual(cut)
    })

    test('is as sure of each as CellTypist is', () => {
      const wanted = column('conf_score').map(Number)
      const found = confidence(probabilities, { labels: labels.length })
      const unsure = uncertainty(probabilities, { labels: labels.length })
      expect(Math.max(...found.map((value, i) => Math.abs(value - wanted[i]!)))).toBeLessThan(1e-5)
      expect(Math.max(...unsure.map((value, i) => Math.abs(1 - value - wanted[i]!)))).toBeLessThan(1e-5)
    })

    test.each([
      ['majority_voting', 'over_clustering', 0],
      ['majority_voting_min_prop_0.6', 'over_clustering', 0.6],
      ['majority_voting_author_cluster', 'over_clustering_author_cluster', 0],
    ])('votes as it does: %s', (wanted, clusters, minShare) => {
      const codes = bestMatch(scores, labels.length)
      const vote = majorityVote(codes, { clusters: clustersOf(column(clusters)), labels, minShare })
      const found = Array.from(vote.cells, (code) => labels[code] ?? heterogeneous)
      expect(found).toEqual(column(wanted))
    })
  })
})
