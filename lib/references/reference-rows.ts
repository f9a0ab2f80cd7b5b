/**
 * The counts of all chosen cells over the genes of the reference, as one matrix that is read file by file while it is written. Every value
 * passes here, so this is where it is seen whether all of them are counts.
 */
import type { RowSlab } from '../data/cells.ts'
import type { MatrixToWrite } from '../data/h5ad-matrix.ts'
import type { NumberType } from '../data/tree.ts'
import type { ErrorReport } from '../job/errors.ts'
import { alignRows } from '../prep/align-genes.ts'
import type { FoundFile } from './found-file.ts'
import { type OpenFoundOptions, openFound, openMostly } from './open-found.ts'
import { slabsOfRows } from './row-runs.ts'
import type { ChosenFile } from './seen-files.ts'

export interface RowsOptions extends OpenFoundOptions {
  /** of the reference */
  genes: number
  progress?: (done: { cells: number; of: number }) => void
}

interface Part extends ChosenFile {
  found: FoundFile
  name: string
  type: NumberType
  entries: number
  /** share of the matrix that is read for the rows */
  coverage: number
  target: Int32Array
}

/** of a remote file; beyond it all of the file comes in one go */
const mostByRanges = 0.5

/** `notices` is complete when the rows have been read. */
export function referenceRows(
  parts: readonly Part[],
  options: RowsOptions,
): { matrix: MatrixToWrite; notices(): ErrorReport[] } {
  const { genes, signal, progress } = options
  const rows = parts.reduce((sum, part) => sum + part.rows.length, 0)
  const uncounted = new Map<Part, number>()
  const isWide = parts.some(({ type }) => /32|64/.test(type) && type !== 'float32')
  return {
    matrix: {
      ...{ rows, columns: genes, type: isWide ? 'float64' : 'float32' },
      stored: parts.reduce((sum, { entries }) => sum + entries, 0),
      async *slabs() {
        let before = 0
        for (const part of parts) {
          for await (const slab of slabsOf(part, options)) {
            signal?.throwIfAborted()
            if (part.holdsCounts) uncounted.set(part, (uncounted.get(part) ?? 0) + withoutCounts(slab))
            yield { ...alignRows(slab, { target: part.target, genes }), start: before + slab.start }
            progress?.({ cells: before + slab.start + slab.rows, of: rows })
          }
          before += part.rows.length
        }
      },
    },
    notices: () =>
      [...uncounted].flatMap(([{ name, matrix }, cells]) =>
        cells > 0 ? [notCounts(name, { matrix, cells })] : [],
      ),
  }
}

/** The file is open while its rows come, and closed whoever stops asking. */
async function* slabsOf(part: Part, options: OpenFoundOptions): AsyncGenerator<RowSlab> {
  const { found, matrix, rows, coverage } = part
  const open = coverage > mostByRanges ? openMostly : openFound
  const cells = await open(found, options)
  try {
    yield* slabsOfRows(await cells.matrix(matrix), rows)
  } finally {
    await cells.close()
  }
}

/** Cells with a value that no count can be. */
function withoutCounts({ rows, indptr, values }: RowSlab): number {
  let cells = 0
  for (let row = 0; row < rows; row++) {
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) {
      const value = values[i]!
      if (value >= 0 && Math.abs(value - Math.round(value)) < 1e-6) continue
      cells++
      break
    }
  }
  return cells
}

function notCounts(place: string, { matrix, cells }: { matrix: string; cells: number }): ErrorReport {
  const problem = `${cells} of the cells taken from it have values in ${matrix} that are no counts (negative, broken or not finite)`
  const remedy = 'Look at the file before learning from it; "type-cells" refuses what it cannot use'
  return { code: 'COUNTS_NOT_WHOLE', place, problem, remedy }
}
