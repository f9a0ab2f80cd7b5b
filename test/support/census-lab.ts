/**
 * CELLxGENE and Synapse on loopback: a release of the Census with two small datasets of lung, the catalogue that tells of them, and one
 * file behind a token. What is asked for is noted by the server.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Column } from '../../lib/data/cells.ts'
import { type AnnDataToWrite, writeH5ad } from '../../lib/data/write-h5ad.ts'
import { cellsOf } from './installation.ts'
import { temporaryFolder } from './temporary-folder.ts'
import { startWebDouble, type WebDouble } from './web-double.ts'

export const atlas = '11111111-1111-4111-8111-111111111111'
export const other = '22222222-2222-4222-8222-222222222222'
/** The registered Human Lung Cell Atlas: small here, and not in the catalogue. */
export const lungAtlas = 'f72958f5-7f42-4ebb-98da-445b0c6de516'
export const token = 'a-token-of-synapse'

export interface CensusLab {
  web: WebDouble
  environment: Record<string, string>
  /** of the datasets, by id */
  bytes: ReadonlyMap<string, Buffer>
  [Symbol.asyncDispose](): Promise<void>
}

const genes = ['ENSG00000000003', 'ENSG00000000005', 'ENSG00000000419', 'ENSG00000000457', 'ENSG00000000460']

interface Study {
  cells: number
  genes: readonly string[]
  labels: readonly [label: string, id: string][]
  assay: string
}

const studies: Record<string, Study> = {
  [atlas]: {
    cells: 40,
    genes: genes.slice(0, 4),
    labels: [
      ['T cell', 'CL:0000084'],
      ['macrophage', 'CL:0000235'],
    ],
    assay: "10x 3' v3",
  },
  [lungAtlas]: {
    cells: 12,
    genes,
    labels: [['macrophage', 'CL:0000235']],
    assay: "10x 3' v2",
  },
  [other]: { cells: 24, genes: genes.slice(1), labels: [['B cell', 'CL:0000236']], assay: "10x 3' v2" },
}

/** Every third cell is of a tumour, every fourth was published by somebody else before. */
export function studyOf(id: string): AnnDataToWrite {
  const { cells, genes: names, labels, assay } = studies[id]!
  const counts = Array.from({ length: cells }, (_, cell) => names.map((_, gene) => (cell + gene) % 5))
  const made = cellsOf(counts, { genes: names, names: counts.map((_, cell) => `cell-${cell}`) })
  const text = (value: (cell: number) => string): Column => {
    const values = counts.map((_, cell) => value(cell))
    const categories = [...new Set(values)].sort()
    const codes = Int32Array.from(values, (one) => categories.indexOf(one))
    return { kind: 'categorical', codes, categories: { kind: 'string', values: categories }, ordered: false }
  }
  const label = (cell: number) => labels[cell % labels.length]!
  const columns = new Map<string, Column>([
    ['cell_type', text((cell) => label(cell)[0])],
    ['ann_finest_level', text((cell) => `${label(cell)[0]} ${cell % 2}`)],
    ['cell_type_ontology_term_id', text((cell) => label(cell)[1])],
    ['tissue', text(() => 'lung')],
    ['tissue_ontology_term_id', text(() => 'UBERON:0002048')],
    ['disease', text((cell) => (cell % 3 === 0 ? 'lung adenocarcinoma' : 'normal'))],
    ['assay', text(() => assay)],
    ['is_primary_data', { kind: 'boolean', values: Uint8Array.from(counts, (_, cell) => +(cell % 4 !== 0)) }],
  ])
  const feature: Column = { kind: 'string', values: names.map((name) => `GENE${name.slice(-3)}`) }
  return {
    ...made,
    obs: { ...made.obs, columns },
    var: { ...made.var, columns: new Map([['feature_name', feature]]) },
    uns: { title: titleOf(id), organism: 'Homo sapiens', citation: `Publication: Lung study ${id[0]}` },
  }
}

const titleOf = (id: string) => `Lung study ${id[0]}`

export async function startCensusLab(): Promise<CensusLab> {
  await using folder = await temporaryFolder()
  const web = await startWebDouble()
  const bytes = new Map<string, Buffer>()
  for (const id of Object.keys(studies)) {
    const path = join(folder.path, `${id}.h5ad`)
    await writeH5ad(path, studyOf(id))
    bytes.set(id, await readFile(path))
    web.files.set(`/h5ads/${id}.h5ad`, { bytes: bytes.get(id)! })
  }
  const json = (value: unknown) => ({ bytes: Buffer.from(JSON.stringify(value)) })
  const release = { release_date: '2026-01-30', h5ads: { uri: `${web.address}/h5ads/`, s3_region: null } }
  web.files.set('/release.json', json({ stable: '2026-01-30', '2026-01-30': release }))
  web.files.set('/api/datasets', json([atlas, other].map(entryOf)))
  web.files.set('/signed/atlas.h5ad', { bytes: bytes.get(atlas)! })
  web.onCall = (call, response) => {
    const answer = synapseAnswer(call, { address: web.address, size: bytes.get(atlas)!.length })
    if (answer === undefined) return false
    response.writeHead(answer === null ? 401 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answer ?? { reason: 'no' }))
    return true
  }
  return {
    web,
    bytes,
    environment: {
      CELLDROP_CELLXGENE_CENSUS: `${web.address}/release.json`,
      CELLDROP_CELLXGENE_API: `${web.address}/api`,
      CELLDROP_SYNAPSE: web.address,
    },
    [Symbol.asyncDispose]: () => web[Symbol.asyncDispose](),
  }
}

function entryOf(id: string): unknown {
  const { labels, assay, cells } = studies[id]!
  const terms = (...all: (readonly [string, string])[]) =>
    all.map(([label, ontology_term_id]) => ({ label, ontology_term_id }))
  return {
    dataset_id: id,
    dataset_version_id: id.replaceAll('-4', '-5'),
    title: titleOf(id),
    collection_name: 'Lungs of the world',
    collection_doi: '10.1000/lungs',
    citation: `Publication: Lung study ${id[0]}`,
    cell_count: cells,
    organism: terms(['Homo sapiens', 'NCBITaxon:9606']),
    tissue: terms(['lung', 'UBERON:0002048']),
    disease: terms(['normal', 'PATO:0000461'], ['lung adenocarcinoma', 'MONDO:0005061']),
    cell_type: terms(...labels),
    assay: terms([assay, 'EFO:0009922']),
    is_primary_data: [true, false],
    assets: [],
  }
}

/** @returns undefined for what is not Synapse's, null where the token is not the right one */
function synapseAnswer(
  { path, headers }: { path: string; headers: Record<string, unknown> },
  { address, size }: { address: string; size: number },
): unknown {
  const isEntity = /^\/repo\/v1\/entity\/syn\d+(?:\/version\/\d+)?$/.test(path)
  if (!isEntity && path !== '/file/v1/fileHandle/batch') return undefined
  if (headers.authorization !== `Bearer ${token}`) return null
  if (isEntity)
    return {
      name: 'atlas.h5ad',
      concreteType: 'org.sagebionetworks.repo.model.FileEntity',
      dataFileHandleId: '7',
      versionNumber: 3,
    }
  const preSignedURL = `${address}/signed/atlas.h5ad?X-Amz-Signature=very-secret`
  return { requestedFiles: [{ preSignedURL, fileHandle: { contentSize: size } }] }
}
