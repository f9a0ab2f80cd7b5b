/** What a training is given, looked at before the kernels are: they would read wherever a wrong gene number leads them. */
import { BadInput } from '../job/errors.ts'
import type { TrainingRows } from './standardised-cells.ts'

/** @throws BadInput TRAINING_LABELS with fewer than two labels, or a label without cells */
export function checkCodes(
  codes: Int32Array,
  { cells, labels, place }: { cells: number; labels: number; place: string },
): void {
  if (codes.length !== cells) throw new RangeError(`${codes.length} labels for ${cells} cells`)
  const used = new Set(codes)
  if (labels >= 2 && used.size === labels && codes.every((code) => code >= 0 && code < labels)) return
  const problem = `${used.size} of ${labels} labels have cells; a model tells at least two apart`
  throw new BadInput(
    'TRAINING_LABELS',
    place,
    problem,
    'Give cells of at least two types, and no label without cells',
  )
}

/** @throws BadInput MATRIX_MALFORMED, MATRIX_NOT_FINITE */
export function checkCells({ rows, columns, indptr, indices, values }: TrainingRows, place: string): void {
  const malformed = (problem: string): BadInput =>
    new BadInput('MATRIX_MALFORMED', place, problem, 'Write the matrix again as sparse rows (CSR)')
  const [first, last] = [indptr[0]!, indptr[rows]!]
  if (columns < 1) throw malformed('the matrix has no genes')
  if (indptr.length !== rows + 1 || !(first >= 0 && last <= Math.min(indices.length, values.length)))
    throw malformed('its rows do not lie within its entries')
  for (let row = 0; row < rows; row++)
    if (!(indptr[row + 1]! >= indptr[row]!)) throw malformed(`row ${row} ends before it starts`)
  for (let i = first; i < last; i++) {
    const gene = indices[i]!
    if (!(gene >= 0 && gene < columns)) throw malformed(`an entry is of gene ${gene} of ${columns}`)
    if (!Number.isFinite(values[i]!))
      throw new BadInput(
        'MATRIX_NOT_FINITE',
        place,
        `an entry of gene ${gene} is ${values[i]}`,
        'Remove cells and genes with missing or infinite values, or start from counts',
      )
  }
}
