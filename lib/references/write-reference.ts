/**
 * The reference as a file: where all of one h5ad is wanted, that file byte for byte, else a new one of the chosen cells with the layout of
 * the Census: raw counts as X, genes by Ensembl id, the obs of all files, dataset_id, and in uns where everything is from.
 *
 * Cells are never all in memory: their rows go from the files into the new one slab by slab. Trap: h5ad is written front to back, so
 * every file is opened twice, first for its tables and then for its rows; what is pinned cannot differ between the two.
 */
import { rm, stat } from 'node:fs/promises'
import type { CellFile } from '../data/cells.ts'
import type { PlainValue } from '../data/h5ad-element.ts'
import { openCells } from '../data/open-cells.ts'
import type { NumberType } from '../data/tree.ts'
import { writeH5ad } from '../data/write-h5ad.ts'
import { writeContent } from '../job/content-copy.ts'
import type { ErrorReport } from '../job/errors.ts'
import { onWriting } from '../job/folder-errors.ts'
import { product } from '../job/product.ts'
import { referenceNames } from '../job/reference-names.ts'
import type { Chosen } from './choose-cells.ts'
import { type FoundFile, nameOfFile, type SourceFacts } from './found-file.ts'
import { type JoinedGenes, joinGenes } from './joined-genes.ts'
import { type OpenFoundOptions, withFound } from './open-found.ts'
import { fileGenes } from './reference-genes.ts'
import { type JoinedObs, joinObs } from './reference-obs.ts'
import { referenceRows } from './reference-rows.ts'
import { coverageOf } from './row-runs.ts'
import type { ChosenFile } from './seen-files.ts'
import { type FileParts, readParts } from './source-parts.ts'
import { entriesAtMost } from './stored-entries.ts'

export interface WriteReferenceOptions extends OpenFoundOptions {
  files: readonly FoundFile[]
  chosen: Chosen
  facts: SourceFacts
  /** deflate level 1 to 9 of a new file; not compressed when absent */
  gzip?: number
  progress?: (done: { cells: number; of: number }) => void
}

export interface WrittenReference {
  cells: number
  genes: number
  /** of the file */
  bytes: number
  notices: ErrorReport[]
}

/**
 * To a local path that does not exist yet; nothing is left there when it fails.
 * @throws AlreadyExists OBJECT_EXISTS; StoreFailure OBJECT_CHANGED, CONTENT_MISMATCH, WRITE_FAILED and what reading throws
 */
export async function writeReference(
  path: string,
  options: WriteReferenceOptions,
): Promise<WrittenReference> {
  const notices = options.chosen.whole ? await copyWhole(path, options) : await writeChosen(path, options)
  const cells = await openCells(path)
  const { rows, columns } = cells
  await cells.close()
  return { cells: rows, genes: columns, bytes: (await stat(path)).size, notices }
}

async function copyWhole(path: string, { files, signal, progress, chosen }: WriteReferenceOptions) {
  const [only] = files as [FoundFile]
  const { pin, store, md5 } = only
  const object = { ...pin, store, ...(md5 !== undefined && { md5 }) }
  try {
    await writeContent(path, object, { signal, disk: (act) => onWriting(path, act) })
  } catch (error) {
    await rm(path, { force: true })
    throw error
  }
  progress?.({ cells: chosen.cells, of: chosen.cells })
  return []
}

export interface OpenedPart extends ChosenFile {
  found: FoundFile
  /** the file's name in messages */
  name: string
  parts: FileParts
  /** of the matrix */
  type: NumberType
  /** of the rows, at most */
  entries: number
  /** share of the matrix that is read for the rows */
  coverage: number
  /** of each gene of the file the one of the reference */
  target: Int32Array
}

async function writeChosen(path: string, options: WriteReferenceOptions): Promise<ErrorReport[]> {
  const { files, chosen, facts, gzip } = options
  const read = []
  for (const one of chosen.files) {
    const found = files[one.file]!
    options.signal?.throwIfAborted()
    const taken = await withFound(found, options, (cells) => readTables(cells, { one, found }))
    read.push({ ...one, ...taken, found, name: nameOfFile(found) })
  }
  const genes = joinGenes(read.map(({ name, parts }) => ({ name, genes: fileGenes(parts.genes) })))
  const opened = read.map((one, i): OpenedPart => ({ ...one, target: genes.targets[i]! }))
  const obs = joinObs(opened)
  const rows = referenceRows(opened, { ...options, genes: genes.table.rows })
  await writeH5ad(
    path,
    {
      obs: obs.table,
      var: genes.table,
      x: rows.matrix,
      ...(opened.length > 1 && { varm: new Map([[referenceNames.varm.presence, presenceOf(genes)]]) }),
      uns: provenance(opened, { facts, chosen }),
    },
    { gzip },
  )
  return [...noticesOf(opened, { obs, genes }), ...rows.notices()]
}

async function readTables(
  cells: CellFile,
  { one, found }: { one: ChosenFile; found: FoundFile },
): Promise<Pick<OpenedPart, 'parts' | 'type' | 'entries' | 'coverage'>> {
  const matrix = await cells.matrix(one.matrix)
  return {
    parts: await readParts(cells, { ...one, found }),
    type: matrix.type,
    coverage: coverageOf(matrix, one.rows),
    entries: await entriesAtMost(cells, matrix, one.rows),
  }
}

function presenceOf({ table, targets, presence }: JoinedGenes) {
  const shape = [table.rows, targets.length]
  return { kind: 'array', type: 'uint8', shape, values: presence } as const
}

function provenance(
  opened: readonly OpenedPart[],
  { facts, chosen }: { facts: SourceFacts; chosen: Chosen },
): Record<string, PlainValue> {
  const of = (told: (part: OpenedPart) => string | null) => opened.map((part) => told(part) ?? '')
  const reference: Record<string, PlainValue> = {
    source: facts.source,
    ...(facts.release && { census_release: facts.release.name, census_date: facts.release.date }),
    ...(facts.synapse && {
      synapse_id: facts.synapse.id,
      synapse_version: facts.synapse.version,
      synapse_name: facts.synapse.name,
    }),
    dataset_ids: of(({ parts }) => parts.dataset),
    dataset_versions: of(({ parts }) => parts.version),
    dataset_titles: of(({ parts }) => parts.title),
    dataset_citations: of(({ parts }) => parts.citation),
    dataset_cells: opened.map(({ rows }) => rows.length),
    dataset_matrices: of(({ matrix }) => matrix),
    holds_counts: opened.every(({ holdsCounts }) => holdsCounts),
    n_cells: chosen.cells,
    n_cells_available: chosen.available,
    product_version: product.version,
  }
  return { ...sharedTexts(opened), [referenceNames.uns.provenance]: reference }
}

/** What CELLxGENE files say of themselves in uns stays where all say the same. */
function sharedTexts(opened: readonly OpenedPart[]): Record<string, string> {
  const [first] = opened
  const shared = [...(first?.parts.texts ?? [])].filter(([key, text]) =>
    opened.every(({ parts }) => parts.texts.get(key) === text),
  )
  return Object.fromEntries(shared)
}

function noticesOf(
  opened: readonly OpenedPart[],
  { obs, genes }: { obs: JoinedObs; genes: JoinedGenes },
): ErrorReport[] {
  const uncounted = opened
    .filter(({ holdsCounts }) => !holdsCounts)
    .map(({ name, matrix }): ErrorReport => {
      const problem = `no raw counts were found in it: X of the reference is its ${matrix} as it is`
      const remedy = 'Give a file with raw counts where that matters; "type-cells" says what it takes'
      return { code: 'REFERENCE_NO_COUNTS', place: name, problem, remedy }
    })
  return [...uncounted, ...opened.flatMap(({ parts }) => parts.notices), ...obs.notices, ...genes.notices]
}
