/**
 * The matrix of a reference that holds its raw counts: found by looking, in the order in which SpatialCore looks. The CELLxGENE schema
 * keeps them in raw/X, or in X where there is no raw.
 *
 * Trap: a matrix that could not be looked at (stored gene by gene and large) is taken on the schema's word, and that is said. Whether
 * every value is a count is seen when they are written.
 */
import type { CellFile } from '../data/cells.ts'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { detectCounts } from '../prep/counts-state.ts'

export interface CountsMatrix {
  /** 'raw/X' */
  matrix: string
  /** false: logs or anything else, as the file has them */
  holdsCounts: boolean
  notices: ErrorReport[]
}

/** what a look may read: some of these files are one of hundreds */
const look = { sampleRows: 100, mostBytes: 4 << 20 }

/** @throws BadInput NO_MATRIX */
export async function findCountsMatrix(
  cells: CellFile,
  { name, seed }: { name: string; seed: number },
): Promise<CountsMatrix> {
  if (cells.matrices.length === 0)
    throw new BadInput('NO_MATRIX', name, 'there is no matrix of expression in it', 'Give another file')
  const { rawCounts, checked } = await detectCounts(cells, { seed, ...look })
  if (rawCounts.where !== null) return { matrix: rawCounts.where, holdsCounts: true, notices: [] }
  const bySchema = ['raw/X', 'X'].find((matrix) => cells.matrices.includes(matrix)) ?? cells.matrices[0]!
  const seen = checked.find(({ where }) => where === bySchema)
  const isEmpty = cells.rows === 0 || (seen?.max === 0 && seen.min === 0)
  if (isEmpty) return { matrix: bySchema, holdsCounts: true, notices: [] }
  if (seen === undefined || seen.max === null) {
    const problem = `${bySchema} could not be looked at before all of it is read: that it holds raw counts is not assessed`
    const remedy = 'Look at the notices on what was written'
    const notice = { code: 'COUNTS_NOT_ASSESSED', place: name, problem, remedy }
    return { matrix: bySchema, holdsCounts: true, notices: [notice] }
  }
  return { matrix: cells.matrices.includes('X') ? 'X' : bySchema, holdsCounts: false, notices: [] }
}
