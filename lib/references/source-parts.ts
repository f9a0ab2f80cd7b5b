/**
 * What of a file goes into a reference beside its counts: the rows of obs, the genes, and what it says of itself in uns. Arrays of cells
 * and graphs mean nothing beside cells of other files and stay behind, which is said.
 */
import type { CellFile, Table } from '../data/cells.ts'
import { isAnnData } from '../data/copy-cells.ts'
import { tableRows } from '../data/table-rows.ts'
import type { ErrorReport } from '../job/errors.ts'
import { type FoundFile, nameOfFile } from './found-file.ts'

export interface FileParts {
  obs: Table
  /** of the matrix that is read */
  genes: Table
  /** id of the dataset, else the file's name without its ending */
  dataset: string
  isCellxgene: boolean
  version: string | null
  title: string | null
  citation: string | null
  /** single texts of uns, by key, of those that the CELLxGENE schema knows */
  texts: ReadonlyMap<string, string>
  notices: ErrorReport[]
}

const keptTexts = [
  'schema_version',
  'schema_reference',
  'title',
  'citation',
  'organism',
  'organism_ontology_term_id',
]
const longestText = 20_000

export async function readParts(
  cells: CellFile,
  { rows, matrix, found }: { rows: Int32Array; matrix: string; found: FoundFile },
): Promise<FileParts> {
  const texts = await textsOf(cells)
  const { dataset, pin } = found
  const citation = dataset?.citation ?? texts.get('citation') ?? null
  return {
    obs: tableRows(await cells.obs(), rows),
    genes: await cells.genesOf(matrix),
    dataset: dataset?.id ?? stemOf(pin.key),
    isCellxgene: dataset !== null,
    version: versionIn(texts.get('citation')) ?? dataset?.version ?? null,
    title: dataset?.title ?? texts.get('title') ?? null,
    citation,
    texts,
    notices: leftBehind(cells, { matrix, name: nameOfFile(found) }),
  }
}

async function textsOf(cells: CellFile): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  if (!isAnnData(cells)) return texts
  const there = cells.namesIn('uns')
  for (const key of keptTexts) {
    if (!there.includes(key)) continue
    const element = await cells.unstructured(key)
    const [text] = element.kind === 'text' && element.values.length === 1 ? element.values : []
    if (text !== undefined && text.length <= longestText) texts.set(key, text)
  }
  return texts
}

/** A file of CELLxGENE cites itself by the address of its version. */
function versionIn(citation: string | undefined): string | undefined {
  return /\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.h5ad/i.exec(citation ?? '')?.[1]
}

function stemOf(key: string): string {
  const name = key.slice(key.lastIndexOf('/') + 1)
  return name.replace(/\.[^.]{1,8}$/, '') || name
}

function leftBehind(cells: CellFile, { matrix, name }: { matrix: string; name: string }): ErrorReport[] {
  const matrices = cells.matrices.filter((one) => one !== matrix)
  const groups = isAnnData(cells)
    ? (['obsm', 'obsp', 'varm', 'varp'] as const).flatMap((group) =>
        cells.namesIn(group).map((key) => `${group}/${key}`),
      )
    : []
  const parts = [...matrices, ...groups]
  if (parts.length === 0) return []
  const shown = parts.slice(0, 12).join(', ') + (parts.length > 12 ? ` and ${parts.length - 12} more` : '')
  const problem = `only ${matrix}, obs and var of it are in the reference; not there are ${shown}`
  const remedy = 'Take the whole file (no filters, no "max_cells") where they are needed'
  return [{ code: 'REFERENCE_PART_LEFT_OUT', place: name, problem, remedy }]
}
