/** Blood cells by seed: four types with their markers among household genes, counts as a droplet gives them, and a model trained on such. */
import type { Column } from '../../lib/data/cells.ts'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import { random } from '../../lib/job/random.ts'
import type { Stores } from '../../lib/job/stores.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { trainLinear } from '../../lib/models/train-linear.ts'
import { cellsOf } from './installation.ts'

const markers = {
  'B cell': ['MS4A1', 'CD79A', 'CD79B', 'CD19', 'CD74'],
  monocyte: ['LYZ', 'CD14', 'S100A8', 'S100A9', 'FCN1'],
  'natural killer cell': ['NKG7', 'GNLY', 'KLRD1', 'PRF1', 'GZMB'],
  'T cell': ['CD3D', 'CD3E', 'CD2', 'IL7R', 'TRAC'],
}
export const simulatedTypes = Object.keys(markers)

const numbered = (prefix: string, from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `${prefix}${from + i}`)

export const simulatedGenes = [
  ...Object.values(markers).flat(),
  'ACTB',
  'B2M',
  'MT-CO1',
  'MT-ND1',
  ...numbered('RPL', 3, 15),
  ...numbered('RPS', 2, 16),
  ...numbered('PSMA', 1, 7),
  ...numbered('PSMB', 1, 7),
]

export interface SimulatedCells {
  counts: number[][]
  /** of each cell its type */
  types: string[]
}

export function simulateCells(seed: number, cells: number): SimulatedCells {
  const draw = random(seed)
  const household = simulatedGenes.map(() => 1 + 7 * draw.uniform())
  const types = Array.from({ length: cells }, (_, cell) => simulatedTypes[cell % simulatedTypes.length]!)
  const counts = types.map((type) => {
    const depth = 0.7 + 0.8 * draw.uniform()
    const own = new Set(markers[type as keyof typeof markers])
    return simulatedGenes.map((gene, column) => {
      const mean = own.has(gene) ? 14 : column < 20 ? 0.1 : household[column]!
      return Math.max(0, Math.round(mean * depth + Math.sqrt(mean * depth) * draw.normal()))
    })
  })
  return { counts, types }
}

/** As an h5ad with two columns of obs: the type, and groups of ten cells. */
export function simulatedQuery(seed: number, cells: number): AnnDataToWrite {
  const { counts, types } = simulateCells(seed, cells)
  const made = cellsOf(counts, { genes: simulatedGenes })
  made.obs.columns.set('truth', categorical(types))
  made.obs.columns.set('group', categorical(types.map((type, cell) => `${type} ${cell % 3}`)))
  return { ...made, uns: { lab: 'simulated', parameters: { seed, rates: [0.5, 1.5] } } }
}

function categorical(values: readonly string[]): Column {
  const categories = [...new Set(values)].sort()
  return {
    kind: 'categorical',
    codes: Int32Array.from(values, (value) => categories.indexOf(value)),
    categories: { kind: 'string', values: categories },
    ordered: false,
  }
}

export async function saveSimulatedModel({ models }: Stores, name = 'blood'): Promise<string> {
  const { counts, types } = simulateCells(1, 160)
  const columns = simulatedGenes.length
  const logs = counts.flatMap((row) => {
    const total = row.reduce((sum, count) => sum + count, 0)
    return row.map((count) => Math.log1p((count / total) * 1e4))
  })
  const model = await trainLinear(
    {
      rows: counts.length,
      columns,
      indptr: Int32Array.from({ length: counts.length + 1 }, (_, row) => row * columns),
      indices: Int32Array.from({ length: logs.length }, (_, i) => i % columns),
      values: Float64Array.from(logs),
    },
    {
      codes: Int32Array.from(types, (type) => simulatedTypes.indexOf(type)),
      labels: simulatedTypes,
      genes: simulatedGenes,
      facts: {
        name,
        version: '1',
        organism: 'Homo sapiens',
        geneIds: 'symbol',
        ontology: {},
        licence: 'CC0-1.0',
        source: 'a simulation',
        details: '',
        created: '2026-11-21T00:00:00Z',
      },
    },
  )
  return (await saveModel(models, model)).id
}
