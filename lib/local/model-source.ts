/**
 * A model from wherever it lies, told by its content: a CellTypist .pkl, a model directory of scvi-tools or its model.pt, or a folder with a
 * model of ours. What no file says (organism, terms of the labels) is found out, and said.
 */
import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { openFileSource, openStoreSource } from '../data/file-source.ts'
import type { ByteSource } from '../data/source.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { hasCode } from '../job/folder-errors.ts'
import { openFolderStore } from '../job/folder-store.ts'
import { openObject } from '../job/open-store.ts'
import { detectGeneIds } from '../knowledge/gene-ids.ts'
import { matchLabels } from '../knowledge/ontology-match.ts'
import { loadModelFolder } from '../models/bundle.ts'
import { type ImportOptions, importCelltypist } from '../models/celltypist-import.ts'
import type { OntologyTerm } from '../models/model-card.ts'
import { makeNetworkModel } from '../models/network-model.ts'
import { importScvi, openScviModel } from '../models/scvi-import.ts'
import { predictedLabels, type ScviModel } from '../models/scvi-model.ts'
import type { StoredModel } from '../models/stored-model.ts'
import type { Flags, Invocation } from './command.ts'
import { download } from './download.ts'

const mostBytes = 2 ** 30
const zipStart = 0x04034b50

interface Reading extends Invocation {
  name: string
}

export interface FoundModel {
  model: StoredModel
  notices: ErrorReport[]
}

/**
 * @param path a file, a folder, an object or folder of objects (s3://, gs://), or an address
 * @throws BadInput FILE_MISSING, MODEL_SEVERAL, MODEL_NAME, ORGANISM_UNKNOWN, MODEL_BINS, and what the importers refuse
 */
export async function readModel(path: string, reading: Reading): Promise<FoundModel> {
  if (isPath(path) && (await lookAt(path)).isDirectory()) {
    const inside = await readdir(path)
    const isOfScvi = inside.some((file) => /model(?:_params)?\.pt$/.test(file))
    if (inside.includes('model.json') || !isOfScvi) return ownModel(path, reading)
  }
  const source = await openModel(path, reading)
  try {
    return (await startOf(source)) === zipStart
      ? await networkOf(source, { path, reading })
      : await linearOf(source, { path, reading })
  } finally {
    await source.close()
  }
}

async function ownModel(path: string, { name, flags }: Reading): Promise<FoundModel> {
  refuseBins(path, flags)
  const model = await loadModelFolder(path)
  if (model.card.name === name) return { model, notices: [] }
  const problem = `the model in this folder is called "${model.card.name}"`
  throw new BadInput('MODEL_NAME', path, problem, `Import it with --name ${model.card.name}`)
}

async function openModel(path: string, reading: Reading): Promise<ByteSource> {
  if (isAddress(path)) {
    const bytes = await download(path, { mostBytes, signal: reading.listenForStop() })
    return bytesSource(plainSource(path), bytes)
  }
  if (isPath(path)) return openLocal(path)
  const environment = { ...reading.environment, CELLDROP_LOCAL_FILES: '1' }
  const { store, key } = await openObject(path, { environment })
  const has = async (name: string) => (await store.head(name)) !== undefined
  const isFolder =
    !(await has(key)) && ((await has(`${key}/model.pt`)) || (await has(`${key}/model_params.pt`)))
  return isFolder ? openScviModel(store, `${key}/`) : openStoreSource(store, key)
}

/** Model directories may have a prefix before the names of their files, and hold several. */
async function openLocal(path: string): Promise<ByteSource> {
  if (!(await lookAt(path)).isDirectory()) return openFileSource(path)
  const models = (await readdir(path)).filter((file) => file.endsWith('model.pt')).sort()
  if (models.length > 1) {
    const problem = `the folder has several models: ${models.slice(0, 10).join(', ')}`
    throw new BadInput('MODEL_SEVERAL', path, problem, 'Give the path of one of these files')
  }
  const [only] = models
  return only === undefined
    ? openScviModel(await openFolderStore(path), '')
    : openFileSource(join(path, only))
}

function bytesSource(place: string, bytes: Uint8Array): ByteSource {
  return {
    place,
    size: bytes.length,
    read: async (offset, length) => bytes.slice(offset, offset + length),
    close: async () => {},
  }
}

async function startOf(source: ByteSource): Promise<number> {
  if (source.size < 4) return 0
  const start = await source.read(0, 4)
  return new DataView(start.buffer, start.byteOffset).getUint32(0, true)
}

interface Found {
  path: string
  reading: Reading
}

async function linearOf(source: ByteSource, { path, reading }: Found): Promise<FoundModel> {
  refuseBins(path, reading.flags)
  if (source.size > mostBytes)
    throw new BadInput(
      'MODEL_TOO_LARGE',
      path,
      `it has more than ${mostBytes} bytes`,
      'Check that it is a model',
    )
  const bytes = await source.read(0, source.size)
  const options: ImportOptions = {
    ...told(path, reading),
    organism: textOf(reading.flags, 'organism') ?? 'unknown',
    ontology: new Map(),
    place: path,
  }
  // what the file itself says decides what it is told besides
  const { card } = importCelltypist(bytes, options).model
  const ontology = await termsOf(card.labels)
  const { organism, notices } = await organismOf(card.genes, { path, reading })
  const imported = importCelltypist(bytes, { ...options, organism, ontology })
  const matched = matchedNotice(path, { found: ontology.size, labels: card.labels.length })
  return { model: imported.model, notices: [...imported.notices, ...notices, ...matched] }
}

async function networkOf(source: ByteSource, { path, reading }: Found): Promise<FoundModel> {
  const bins = binsOf(reading.flags)
  const { model, notices } = await importScvi(source)
  const labels = model.kind === 'scanvi' ? predictedLabels(model) : []
  const ontology = await termsOf(labels)
  const { organism, notices: guessed } = await organismOf(model.genes, { path, reading })
  const { type, looksLike } = await detectGeneIds(model.genes)
  const facts = {
    ...told(path, reading),
    ...{ version: '', details: '', evaluation: null, organism, ontology },
    geneIds: type === 'ensembl' ? type : ('symbol' as const),
    bins: bins === undefined ? null : { count: bins },
    training: {
      epochs: epochsOf(model),
      settings: {},
      versions: model.version === '' ? {} : { 'scvi-tools': model.version },
      sources: [],
    },
  }
  const unusual: ErrorReport[] = []
  if (type !== 'ensembl' && type !== 'symbol')
    unusual.push({
      code: 'MODEL_GENE_NAMES',
      place: path,
      problem: `its genes are called by ${looksLike}: they are taken for symbols`,
      remedy: 'Rename its genes where cells find none of them',
    })
  const matched = matchedNotice(path, { found: ontology.size, labels: labels.length })
  return {
    model: makeNetworkModel(facts, model, { place: path }),
    notices: [...notices, ...guessed, ...unusual, ...matched],
  }
}

/** What the person said of it, and when. */
function told(path: string, { flags, name, clock }: Reading) {
  return {
    name,
    licence: textOf(flags, 'licence') ?? '',
    source: textOf(flags, 'source') ?? plainSource(path),
    created: new Date(clock()).toISOString(),
  }
}

/** How long it was trained, by its history. */
function epochsOf({ training }: ScviModel): number | null {
  const last = [...training.history.values()].map(({ epochs }) => epochs.at(-1) ?? -1)
  return last.length === 0 ? null : Math.max(...last) + 1
}

function binsOf(flags: Flags): number | undefined {
  const given = textOf(flags, 'bins')
  if (given === undefined) return undefined
  const bins = Number(given)
  if (/^\d+$/.test(given) && bins >= 2 && bins <= 10_000) return bins
  throw new BadInput(
    'USAGE',
    'celldrop import-model',
    `--bins ${given} is no number of bins`,
    'scPDAC has 50',
  )
}

function refuseBins(path: string, flags: Flags): void {
  if (textOf(flags, 'bins') === undefined) return
  throw new BadInput('MODEL_BINS', path, 'only models of scvi-tools can want bins', 'Leave out --bins')
}

async function termsOf(labels: readonly string[]): Promise<Map<string, OntologyTerm>> {
  const matches = labels.length === 0 ? [] : await matchLabels(labels)
  return new Map(
    matches.flatMap(({ label, id, name, tier }) =>
      id === null ? [] : [[label, { id, name: name ?? label, tier }]],
    ),
  )
}

function matchedNotice(place: string, { found, labels }: { found: number; labels: number }): ErrorReport[] {
  if (labels === 0) return []
  const problem = `${found} of ${labels} labels have a Cell Ontology id`
  return [{ code: 'ONTOLOGY_MATCHED', place, problem, remedy: 'Jobs can give others under "ontology"' }]
}

async function organismOf(
  genes: readonly string[],
  { path, reading }: Found,
): Promise<{ organism: string; notices: ErrorReport[] }> {
  const said = textOf(reading.flags, 'organism')
  if (said !== undefined) return { organism: said, notices: [] }
  const { species } = await detectGeneIds(genes)
  if (species === null) {
    const problem = 'the names of its genes do not tell of which organism it is'
    throw new BadInput('ORGANISM_UNKNOWN', path, problem, 'Say it with --organism "Homo sapiens"')
  }
  const problem = `the names of its genes are those of ${species}`
  const remedy = 'If that is wrong, say it with --organism'
  return { organism: species, notices: [{ code: 'ORGANISM_DETECTED', place: path, problem, remedy }] }
}

function isPath(path: string): boolean {
  return !/^(?:s3|gs|https?):\/\//i.test(path)
}

function isAddress(path: string): boolean {
  return /^https?:\/\//i.test(path)
}

/** Where it is from, without what may be secret in an address. */
function plainSource(path: string): string {
  return isAddress(path) ? `${new URL(path).origin}${new URL(path).pathname}` : basename(path)
}

async function lookAt(path: string) {
  const found = await stat(path).catch((error) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  if (found?.isFile() || found?.isDirectory()) return found
  throw new BadInput('FILE_MISSING', path, 'there is no such file', 'Check the name and the folder')
}

function textOf(flags: Flags, name: string): string | undefined {
  const value = flags[name]
  return typeof value === 'string' ? value : undefined
}
