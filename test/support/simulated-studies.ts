/**
 * Studies of five types of cells by seed, for jobs that learn from references: one set of genes, several studies of other depth, with
 * labels under other names, Cell Ontology ids, genes by symbol or Ensembl id, control probes and positions in a tissue.
 */
import type { Column } from '../../lib/data/cells.ts'
import type { MatrixToWrite } from '../../lib/data/h5ad-matrix.ts'
import type { AnnDataToWrite } from '../../lib/data/write-h5ad.ts'
import { random } from '../../lib/job/random.ts'
import { loadGenes, type Species } from '../../lib/knowledge/genes.ts'

const markers = {
  'B cell': ['MS4A1', 'CD79A', 'CD79B', 'CD19', 'BANK1'],
  fibroblast: ['COL1A1', 'COL1A2', 'DCN', 'LUM', 'PDGFRA'],
  monocyte: ['LYZ', 'CD14', 'S100A8', 'S100A9', 'FCN1'],
  'natural killer cell': ['NKG7', 'GNLY', 'KLRD1', 'PRF1', 'GZMB'],
  'T cell': ['CD3D', 'CD3E', 'CD2', 'IL7R', 'CD3G'],
}
/** as the Cell Ontology has them, in order of their names */
export const termIds = new Map([
  ['B cell', 'CL:0000236'],
  ['T cell', 'CL:0000084'],
  ['fibroblast', 'CL:0000057'],
  ['monocyte', 'CL:0000576'],
  ['natural killer cell', 'CL:0000623'],
])
export type StudyType = keyof typeof markers
export const studyTypes = [...termIds.keys()] as StudyType[]

const household = [
  ...['ACTB', 'B2M', 'GAPDH', 'MALAT1', 'TMSB4X', 'EEF1A1', 'FTL', 'FTH1', 'UBC', 'HSP90AA1', 'PPIA', 'VIM'],
  ...Array.from({ length: 12 }, (_, i) => `RPL${i + 3}`),
  ...Array.from({ length: 11 }, (_, i) => `RPS${i + 5}`),
]
/** sixty */
export const studyGenes = [...Object.values(markers).flat(), ...household]
export const controlProbes = ['NegControlProbe_00042', 'NegControlCodeword_0500', 'BLANK_0001']

export interface Study {
  counts: number[][]
  types: StudyType[]
}

/** Types in turn; `depth` multiplies all counts, as a study with more reads has them. */
export function simulateStudy(
  seed: number,
  cells: number,
  { depth = 1, types = studyTypes }: { depth?: number; types?: readonly StudyType[] } = {},
): Study {
  const draw = random(seed)
  const base = random(0)
  const common = studyGenes.map(() => 1 + 7 * base.uniform())
  const chosen = Array.from({ length: cells }, (_, cell) => types[cell % types.length]!)
  const counts = chosen.map((type) => {
    const reads = depth * (0.8 + 0.4 * draw.uniform())
    const own = new Set(markers[type])
    return studyGenes.map((gene, column) => {
      const mean = reads * (own.has(gene) ? 14 : column < 25 ? 0.1 : common[column]!)
      return Math.max(0, Math.round(mean + Math.sqrt(mean) * draw.normal()))
    })
  })
  return { counts, types: chosen }
}

export interface StudyFile {
  /** names of the genes; `studyGenes` unless told */
  genes?: readonly string[]
  names?: readonly string[]
  /** obs columns by name */
  obs?: Record<string, Column>
  /** x and y of each cell, under obsm["spatial"] */
  spatial?: boolean
  /** as stored: 'csr' unless told */
  layout?: 'csr' | 'dense'
  uns?: AnnDataToWrite['uns']
}

export function studyFile(
  counts: readonly (readonly number[])[],
  { genes = studyGenes, names, obs = {}, spatial = false, layout = 'csr', uns }: StudyFile = {},
): AnnDataToWrite {
  const rows = counts.length
  const draw = random(rows)
  const index = names ?? counts.map((_, cell) => `cell-${cell}`)
  const xy = Float64Array.from({ length: 2 * rows }, () => 1000 * draw.uniform())
  return {
    obs: { rows, indexName: '_index', index: [...index], columns: new Map(Object.entries(obs)) },
    var: { rows: genes.length, indexName: '_index', index: [...genes], columns: new Map() },
    x: matrixOf(counts, { columns: genes.length, layout }),
    ...(spatial && {
      obsm: new Map([['spatial', { kind: 'array', type: 'float64', shape: [rows, 2], values: xy }]]),
    }),
    ...(uns !== undefined && { uns }),
  }
}

/** Zeros of a sparse matrix are not stored. */
export function matrixOf(
  rows: readonly (readonly number[])[],
  { columns, layout = 'csr' }: { columns: number; layout?: 'csr' | 'dense' },
): MatrixToWrite {
  const held = rows.map((row) => [...row.keys()].filter((column) => layout === 'dense' || row[column] !== 0))
  const indptr = new Int32Array(rows.length + 1)
  for (const [row, own] of held.entries()) indptr[row + 1] = indptr[row]! + own.length
  const values = Float32Array.from(held.flatMap((own, row) => own.map((column) => rows[row]![column]!)))
  const slab = { start: 0, rows: rows.length, columns, indptr, indices: Int32Array.from(held.flat()), values }
  return {
    rows: rows.length,
    columns,
    type: 'float32',
    stored: values.length,
    layout,
    async *slabs() {
      yield slab
    },
  }
}

/** A reference with its labels in column `cell_type`; `called` gives a type another name, undefined is no label. */
export function referenceFile(
  { counts, types }: Study,
  {
    called = (type) => type,
    ids = false,
    ...file
  }: StudyFile & { called?: (type: StudyType, cell: number) => string | undefined; ids?: boolean } = {},
): AnnDataToWrite {
  const obs = {
    cell_type: categorical(types.map(called)),
    ...(ids && { cell_type_ontology_term_id: categorical(types.map((type) => termIds.get(type)!)) }),
    ...file.obs,
  }
  return studyFile(counts, { ...file, obs })
}

/** The panel with its control probes, which every cell has some counts of. */
export function withProbes({ counts, types }: Study): {
  counts: number[][]
  types: StudyType[]
  genes: string[]
} {
  const probed = counts.map((row, cell) => [...row, ...controlProbes.map((_, probe) => (cell + probe) % 3)])
  return { counts: probed, types, genes: [...studyGenes, ...controlProbes] }
}

/** The first Ensembl id of each gene, with a version as files have it. */
export async function ensemblNames(
  genes: readonly string[],
  species: Species = 'Homo sapiens',
): Promise<string[]> {
  const table = await loadGenes(species)
  return genes.map((gene, at) => `${table.idsOf(gene)[0] ?? gene}.${(at % 9) + 1}`)
}

export function categorical(values: readonly (string | undefined)[]): Column {
  const categories = [...new Set(values.filter((value) => value !== undefined))].sort()
  return {
    kind: 'categorical',
    codes: Int32Array.from(values, (value) => (value === undefined ? -1 : categories.indexOf(value))),
    categories: { kind: 'string', values: categories },
    ordered: false,
  }
}
