/**
 * Cells x genes whole in memory, as the checks of labels want it: compressed rows of log1p values, never made dense.
 * Columns within a row may come in any order, each at most once; a stored zero is a zero like any other.
 */

/** rows + 1 offsets from 0; `indices` are gene numbers below `columns`. */
export interface Expression {
  rows: number
  columns: number
  indptr: Float64Array | Int32Array
  indices: Int32Array
  values: Float32Array | Float64Array
}

/** Expression with the names of its genes and each cell's label. */
export interface LabelledExpression {
  expression: Expression
  /** names of the columns; of equal names the first column counts */
  genes: readonly string[]
  /** each cell's label, as its number in `labels`; -1 is none */
  codes: Int32Array
  labels: readonly string[]
}

/** @throws RangeError where lengths, gene numbers or label numbers do not fit each other */
export function checkLabelled({ expression, genes, codes, labels }: LabelledExpression): void {
  checkExpression(expression)
  const { rows, columns } = expression
  if (genes.length !== columns) throw new RangeError(`${genes.length} names for ${columns} genes`)
  if (codes.length !== rows) throw new RangeError(`${codes.length} labels for ${rows} cells`)
  const strange = codes.find((code) => code < -1 || code >= labels.length)
  if (strange !== undefined) throw new RangeError(`label ${strange} of ${labels.length}`)
}

/** @throws RangeError where offsets do not rise to the number of entries, or a gene number is out of range */
export function checkExpression({ rows, columns, indptr, indices, values }: Expression): void {
  if (indptr.length !== rows + 1 || indptr[0] !== 0)
    throw new RangeError(`${indptr.length} offsets for ${rows} rows`)
  for (let row = 0; row < rows; row++)
    if (!(indptr[row + 1]! >= indptr[row]!)) throw new RangeError(`offsets fall at row ${row}`)
  const stored = indptr[rows]!
  if (stored > indices.length || stored > values.length)
    throw new RangeError(`${stored} entries are told, ${Math.min(indices.length, values.length)} are there`)
  for (let i = 0; i < stored; i++)
    if (!(indices[i]! >= 0 && indices[i]! < columns)) throw new RangeError(`gene ${indices[i]} of ${columns}`)
}

/** The given genes alone, in the order given, as columns 0, 1, ...: what many small sums over few genes want to go through. */
export function selectGenes(expression: Expression, genes: ArrayLike<number>): Expression {
  const { rows, indptr, indices, values } = expression
  const slots = slotsOf(genes, expression.columns)
  const starts = new Float64Array(rows + 1)
  for (let row = 0; row < rows; row++) {
    let kept = starts[row]!
    for (let i = indptr[row]!; i < indptr[row + 1]!; i++) kept += Number(slots[indices[i]!]! >= 0)
    starts[row + 1] = kept
  }
  const stored = starts[rows]!
  const columns = new Int32Array(stored)
  const kept = values instanceof Float32Array ? new Float32Array(stored) : new Float64Array(stored)
  for (let i = 0, at = 0; at < stored; i++) {
    const slot = slots[indices[i]!]!
    if (slot < 0) continue
    columns[at] = slot
    kept[at++] = values[i]!
  }
  return { rows, columns: genes.length, indptr: starts, indices: columns, values: kept }
}

/** For each column its place among `genes`, or -1. @throws RangeError for a gene out of range or given twice */
export function slotsOf(genes: ArrayLike<number>, columns: number): Int32Array {
  const slots = new Int32Array(columns).fill(-1)
  for (let slot = 0; slot < genes.length; slot++) {
    const gene = genes[slot]!
    if (!(gene >= 0 && gene < columns)) throw new RangeError(`gene ${gene} of ${columns}`)
    if (slots[gene] !== -1) throw new RangeError(`gene ${gene} is given twice`)
    slots[gene] = slot
  }
  return slots
}

/** For each label the numbers of its cells, ascending. */
export function cellsOfLabels({
  codes,
  labels,
}: Pick<LabelledExpression, 'codes' | 'labels'>): Int32Array<ArrayBuffer>[] {
  const sizes = new Int32Array(labels.length)
  for (const code of codes) if (code >= 0) sizes[code]! += 1
  const cells = Array.from(sizes, (size) => new Int32Array(size))
  const filled = new Int32Array(labels.length)
  for (let cell = 0; cell < codes.length; cell++) {
    const code = codes[cell]!
    if (code >= 0) cells[code]![filled[code]!++] = cell
  }
  return cells
}

const placeholders = new Set(['unassigned', 'unknown', 'low_count'])

/** False for what stands where a cell has no type: "Unassigned", "Unknown", "Low_count", in any case of letters, and empty text. */
export function isTypeLabel(label: string): boolean {
  return label.trim() !== '' && !placeholders.has(label.toLowerCase())
}
