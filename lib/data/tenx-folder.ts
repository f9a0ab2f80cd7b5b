/**
 * The folder that Cell Ranger writes (matrix.mtx, barcodes.tsv, features.tsv) as a file of cells. The matrix is genes x cells;
 * one that only fits the names the other way round is read as cells x genes, and a notice says so.
 */
import { BadInput, type ErrorReport } from '../job/errors.ts'
import type { CellFile, Table } from './cells.ts'
import { type Folder, localFolder, remember } from './folder.ts'
import { type MtxHeader, readMtxHeader } from './mtx.ts'
import { openMtxMatrix } from './mtx-matrix.ts'
import { plainBytes, type TextFile } from './mtx-text.ts'
import { readBarcodes, readFeatures } from './tenx-names.ts'
import { findTriplet } from './tenx-triplet.ts'

export interface TenxFolder extends CellFile {
  /** what was done that the user may not expect */
  readonly notices: readonly ErrorReport[]
}

/** raw matrices of one run have some ten million barcodes at most */
const mostNames = 20_000_000

/**
 * Reads the names of cells and genes and the head of the matrix; the matrix itself is checked when it is asked for.
 * @param options.sample what stands before the three names where a folder holds several samples
 * @throws BadInput TENX_MISSING, TENX_SEVERAL, TENX_NAMES, TENX_COUNTS, and those of the matrix's header
 */
export async function openTenxFolder(
  location: string | Folder,
  options: { sample?: string } = {},
): Promise<TenxFolder> {
  const folder = typeof location === 'string' ? localFolder(location) : location
  const triplet = await findTriplet(folder, options.sample)
  const file = textFile(folder, triplet.matrix)
  const header = await readMtxHeader(plainBytes(file), file.place)
  const longer = Math.max(header.rows, header.columns)
  if (longer > mostNames) throw tooLarge(file, longer)
  const obs = await readBarcodes(textFile(folder, triplet.barcodes), longer + 1)
  const genes = await readFeatures(textFile(folder, triplet.features), longer + 1)
  const cellsAre = orientation(file, { header, cells: obs.rows, genes: genes.rows })
  // the first pass over a matrix costs as much as reading it: done once
  const open = remember(() => openMtxMatrix(file, { header, cellsAre }))
  const genesOf = async (name: string): Promise<Table> => {
    requireX(file, name)
    return genes
  }
  return {
    place: folder.place,
    format: 'mtx',
    rows: obs.rows,
    columns: genes.rows,
    matrices: ['X'],
    notices: cellsAre === 'rows' ? [transposed(file, header)] : [],
    obs: async () => obs,
    var: async () => genes,
    genesOf,
    matrix: async (name) => {
      requireX(file, name)
      return open()
    },
    close: async () => {},
  }
}

function textFile(folder: Folder, name: string): TextFile {
  return { place: folder.placeOf(name), open: () => folder.openRead(name) }
}

function orientation(
  file: TextFile,
  { header, cells, genes }: { header: MtxHeader; cells: number; genes: number },
): 'rows' | 'columns' {
  if (header.rows === genes && header.columns === cells) return 'columns'
  if (header.rows === cells && header.columns === genes) return 'rows'
  const most = Math.max(header.rows, header.columns)
  const count = (lines: number) => (lines > most ? `more than ${most}` : `${lines}`)
  throw new BadInput(
    'TENX_COUNTS',
    file.place,
    `it has ${header.rows} rows and ${header.columns} columns, but there are ${count(genes)} genes and ${count(cells)} barcodes`,
    'Take the three files from one and the same folder, and without header lines',
  )
}

function requireX(file: TextFile, name: string): void {
  if (name !== 'X') {
    throw new BadInput(
      'MATRIX_MISSING',
      file.place,
      `there is no matrix "${name}"`,
      'A folder of this kind holds "X" only',
    )
  }
}

function tooLarge(file: TextFile, names: number): BadInput {
  return new BadInput(
    'TENX_TOO_LARGE',
    file.place,
    `${names} cells or genes are more than the ${mostNames} that are read`,
    'Give the filtered matrix, or one sample at a time',
  )
}

function transposed(file: TextFile, header: MtxHeader): ErrorReport {
  return {
    code: 'MTX_TRANSPOSED',
    place: file.place,
    problem: `its ${header.rows} rows are the cells and its ${header.columns} columns the genes, the other way round than Cell Ranger writes it`,
    remedy: 'It was read as cells x genes: nothing to do',
  }
}
