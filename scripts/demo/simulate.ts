/**
 * Blood cells that never lived, with real gene names: counts drawn from a negative binomial around profiles of eight types, which
 * differ by genes that textbooks name for them. The query comes from "another laboratory": shallower, with genes shifted at random,
 * and with one type that the reference does not have.
 */
import type { RowSlab, Table } from '../../lib/data/cells.ts'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import type { Random } from '../../lib/job/random.ts'

/** Types by their Cell Ontology names, each with genes that mark it; types of one lineage share most of their programme. */
const types: readonly { name: string; lineage: number; share: number; markers: readonly string[] }[] = [
  {
    name: 'CD4-positive, alpha-beta T cell',
    lineage: 0,
    share: 0.28,
    markers: ['CD3D', 'CD3E', 'IL7R', 'CD4', 'LTB', 'MAL'],
  },
  {
    name: 'CD8-positive, alpha-beta T cell',
    lineage: 0,
    share: 0.16,
    markers: ['CD3D', 'CD3E', 'CD8A', 'CD8B', 'GZMK', 'CCL5'],
  },
  {
    name: 'natural killer cell',
    lineage: 0,
    share: 0.12,
    markers: ['NKG7', 'GNLY', 'KLRD1', 'PRF1', 'GZMB', 'CCL5'],
  },
  {
    name: 'B cell',
    lineage: 1,
    share: 0.14,
    markers: ['MS4A1', 'CD79A', 'CD79B', 'CD74', 'BANK1', 'VPREB3'],
  },
  {
    name: 'CD14-positive monocyte',
    lineage: 2,
    share: 0.16,
    markers: ['LYZ', 'CD14', 'S100A8', 'S100A9', 'VCAN', 'CST3'],
  },
  {
    name: 'CD16-positive monocyte',
    lineage: 2,
    share: 0.06,
    markers: ['FCGR3A', 'MS4A7', 'LST1', 'CDKN1C', 'RHOC', 'CST3'],
  },
  {
    name: 'plasmacytoid dendritic cell',
    lineage: 3,
    share: 0.04,
    markers: ['LILRA4', 'CLEC4C', 'IRF7', 'GZMB', 'TCF4', 'CD74'],
  },
  {
    name: 'megakaryocyte',
    lineage: 4,
    share: 0.04,
    markers: ['PPBP', 'PF4', 'GP9', 'ITGA2B', 'TUBB1', 'NRGN'],
  },
]

export const unseenType = 'plasmacytoid dendritic cell'

export interface Simulated {
  cells: AnnDataToWrite
  labels: string[]
}

export interface SimulateOptions {
  cells: number
  without?: string
  /** counts of a cell of median size */
  depth: number
  /** standard deviation of the shift of each gene's log expression */
  shift: number
  random: Random
}

/** @param genes symbols that are known, markers among them or not */
export function makeGenome(genes: readonly string[], { random, size }: { random: Random; size: number }) {
  const markers = [...new Set(types.flatMap((type) => type.markers))]
  const others = random
    .shuffle(genes.filter((gene) => !markers.includes(gene)))
    .slice(0, size - markers.length)
  const names = random.shuffle([...markers, ...others])
  // most genes are faint, a few make up most of the counts
  const level = Float64Array.from(names, () => Math.exp(random.normal() * 1.6 - 1))
  const drift = (share: number, size: number) =>
    Float64Array.from(names, () => (random.uniform() < share ? Math.exp(random.normal() * size) : 1))
  const lineages = Array.from({ length: 5 }, () => drift(0.06, 0.9))
  const profiles = types.map(({ lineage, markers: own }) => {
    const subtype = drift(0.015, 0.5)
    return Float64Array.from(names, (name, gene) => {
      const base = level[gene]! * lineages[lineage]![gene]! * subtype[gene]!
      if (own.includes(name)) return 1.5 + 2 * random.uniform()
      return markers.includes(name) ? 0.2 * Math.min(base, 1) : base
    })
  })
  return { names, profiles }
}

export function simulate(
  { names, profiles }: ReturnType<typeof makeGenome>,
  { cells, without, depth, shift, random }: SimulateOptions,
): Simulated {
  const present = types.map(({ name, share }) => (name === without ? 0 : share))
  const total = present.reduce((sum, share) => sum + share, 0)
  const moved = Float64Array.from(names, () => Math.exp(random.normal() * shift))
  const shifted = profiles.map((profile) => normalised(profile.map((value, gene) => value * moved[gene]!)))
  const labels: string[] = []
  const rows: { indices: number[]; values: number[] }[] = []
  for (let cell = 0; cell < cells; cell++) {
    const type = pick(present, random.uniform() * total)
    labels.push(types[type]!.name)
    rows.push(drawCell(shifted[type]!, { depth: depth * Math.exp(random.normal() * 0.35), random }))
  }
  return { cells: annData({ names, rows, labels, random }), labels }
}

function pick(shares: readonly number[], at: number): number {
  let left = at
  for (const [i, share] of shares.entries()) {
    left -= share
    if (left < 0) return i
  }
  return shares.length - 1
}

function normalised(profile: Float64Array): Float64Array {
  const sum = profile.reduce((total, value) => total + value, 0)
  return profile.map((value) => value / sum)
}

/** Gamma-Poisson, dispersion 0.5. */
function drawCell(profile: Float64Array, { depth, random }: { depth: number; random: Random }) {
  const indices: number[] = []
  const values: number[] = []
  for (let gene = 0; gene < profile.length; gene++) {
    const count = poisson(profile[gene]! * depth * gammaOfTwo(random), random)
    if (count === 0) continue
    indices.push(gene)
    values.push(count)
  }
  return { indices, values }
}

/** Shape 2, mean 1: half the sum of two exponentials. */
function gammaOfTwo(random: Random): number {
  return -(Math.log(1 - random.uniform()) + Math.log(1 - random.uniform())) / 2
}

function poisson(mean: number, random: Random): number {
  if (mean > 40) return Math.max(0, Math.round(mean + Math.sqrt(mean) * random.normal()))
  const limit = Math.exp(-mean)
  let product = random.uniform()
  let count = 0
  while (product > limit) {
    product *= random.uniform()
    count++
  }
  return count
}

function annData({
  names,
  rows,
  labels,
  random,
}: {
  names: readonly string[]
  rows: readonly { indices: number[]; values: number[] }[]
  labels: readonly string[]
  random: Random
}): AnnDataToWrite {
  const stored = rows.reduce((sum, { indices }) => sum + indices.length, 0)
  const categories = [...new Set(labels)].sort()
  const codes = Int32Array.from(labels, (label) => categories.indexOf(label))
  const obs: Table = {
    rows: rows.length,
    indexName: '_index',
    index: rows.map((_, i) => `${barcode(random)}-${i + 1}`),
    columns: new Map([
      [
        'cell_type',
        { kind: 'categorical', codes, categories: { kind: 'string', values: categories }, ordered: false },
      ],
    ]),
  }
  const genes: Table = { rows: names.length, indexName: '_index', index: [...names], columns: new Map() }
  const slab: RowSlab = {
    start: 0,
    rows: rows.length,
    columns: names.length,
    indptr: Float64Array.from(rowEnds(rows)),
    indices: Int32Array.from(rows.flatMap(({ indices }) => indices)),
    values: Float32Array.from(rows.flatMap(({ values }) => values)),
  }
  const x = {
    rows: rows.length,
    columns: names.length,
    type: 'float32' as const,
    stored,
    async *slabs() {
      yield slab
    },
  }
  return { obs, var: genes, x }
}

function rowEnds(rows: readonly { indices: number[] }[]): number[] {
  const ends = [0]
  for (const { indices } of rows) ends.push(ends.at(-1)! + indices.length)
  return ends
}

function barcode(random: Random): string {
  return Array.from({ length: 16 }, () => 'ACGT'[random.integer(4)]).join('')
}
