/** The obs columns that a network corrects for, besides the batch: whether a file has them, and what stands in them. */
import type { Column, Table } from '../../data/cells.ts'
import { BadInput } from '../../job/errors.ts'
import type { ScviSetup } from '../../models/scvi-model.ts'
import type { InputFacts } from '../workflow.ts'

/** @throws BadInput COVARIATE_COLUMN where obs lacks a column that the model was trained with, the batch apart */
export function requireCovariates({ inspection }: Pick<InputFacts, 'inspection'>, setup: ScviSetup): void {
  const { place, obs } = inspection
  const { categorical, continuous } = setup
  const wanted = [...categorical.flatMap(({ column }) => (column === null ? [] : [column])), ...continuous]
  const missing = wanted.filter((column) => !obs.some(({ name }) => name === column))
  if (missing.length === 0) return
  const there = obs.map(({ name }) => name).slice(0, 50)
  throw new BadInput(
    'COVARIATE_COLUMN',
    `${place}:/obs`,
    `the model was trained with the columns ${missing.join(', ')}, which are missing; obs has: ${there.join(', ')}`,
    'Add them to obs, with the categories that the model knows',
  )
}

/** Cells x columns; NaN where a cell has no value. */
export function continuousOf(
  sources: readonly { obs: Table; place: string }[],
  columns: readonly string[],
): Float32Array | null {
  if (columns.length === 0) return null
  const cells = sources.reduce((sum, { obs }) => sum + obs.rows, 0)
  const numbers = new Float32Array(cells * columns.length)
  let first = 0
  for (const { obs, place } of sources) {
    for (const [at, name] of columns.entries()) {
      const values = numbersOf(obs.columns.get(name), `${place}:/obs/${name}`)
      for (let cell = 0; cell < obs.rows; cell++) numbers[(first + cell) * columns.length + at] = values(cell)
    }
    first += obs.rows
  }
  return numbers
}

function numbersOf(column: Column | undefined, place: string): (cell: number) => number {
  if (column?.kind !== 'number')
    throw new BadInput(
      'COVARIATE_COLUMN',
      place,
      column === undefined ? 'the model needs this column, which is missing' : 'the model needs numbers here',
      'Give the column as it was when the model was trained',
    )
  const { values, mask } = column
  return (cell) => (mask?.[cell] === 1 ? Number.NaN : Number(values[cell]))
}
