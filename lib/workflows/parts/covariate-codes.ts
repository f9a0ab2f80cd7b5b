/**
 * Batches and covariates of the cells as numbers of the model's categories. What the model knows keeps its number; in `extend` new batches of
 * the query follow, which surgery gives columns; a batch that is not to be learnt (of the query in `frozen`, of the atlas in either) gets
 * the one number that stands for the average batch.
 *
 * Trap: a model that was made without batches knows one, '0'. A batch of the query that happens to be called so is another one.
 */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'
import type { ScviSetup } from '../../models/scvi-model.ts'
import { shownNames } from '../../prep/shown-names.ts'
import type { Coded } from './coded.ts'

export interface SourceCells {
  /** for messages */
  place: string
  isAtlas: boolean
  batch: Coded
  /** by further covariate */
  categorical: readonly Coded[]
}

export interface CodedBatches {
  /** categories that the model knows, then those that it is to learn */
  reference: string[]
  added: string[]
  /** what the average batch is called, the last; null where no cell needs it */
  average: string | null
}

export interface CovariateCodes {
  batches: CodedBatches
  /** new categories by further covariate */
  added: string[][]
  /** by covariate, batch first: of the cells of all sources, one source after another */
  categories: Int32Array[]
  notices: ErrorReport[]
}

export interface CodingRules {
  mode: 'frozen' | 'extend'
  setup: ScviSetup
  /** whether places depend on the batch at all */
  encodesBatches: boolean
  /** whether something else that is asked for does: expression, or how well cells are explained */
  decodesBatches?: boolean
  /** how a job asks for what is unknown to be learnt; absent where none can */
  learning?: string
}

export const averageBatch = 'average batch'

/** @throws BadInput COVARIATE_UNKNOWN */
export function codeCovariates(sources: readonly SourceCells[], rules: CodingRules): CovariateCodes {
  const { setup, mode, encodesBatches, decodesBatches = false } = rules
  const { batch } = setup
  const isNamed = batch.column !== null
  const known = new Map(isNamed ? batch.categories.map((name, code) => [name, code]) : [])
  const learns = ({ isAtlas }: SourceCells) => mode === 'extend' && !isAtlas
  const fresh = new Set(sources.filter(learns).flatMap((source) => occurring(source.batch)))
  const added = [...fresh].filter((name) => !known.has(name)).sort()
  for (const [i, name] of added.entries()) known.set(name, batch.categories.length + i)
  const average = batch.categories.length + added.length
  const strangers = sources.map((source) => {
    const isWithout = !isNamed && !learns(source)
    return isWithout ? [] : occurring(source.batch).filter((name) => !known.has(name))
  })
  const isWithoutBatch = (source: SourceCells) =>
    isNamed && !encodesBatches && !learns(source) && source.batch.codes.includes(-1)
  const hasStrangers = strangers.some(({ length }) => length > 0)
  const needsAverage =
    (hasStrangers && encodesBatches) || (decodesBatches && (hasStrangers || sources.some(isWithoutBatch)))
  const codeOf = (source: SourceCells) => (name: string) => {
    if (!isNamed && !learns(source)) return 0
    return known.get(name) ?? (needsAverage ? average : 0)
  }
  const missing = (source: SourceCells) =>
    encodesBatches || learns(source) ? -1 : isNamed && needsAverage ? average : 0
  const batches = joined(sources, (source) => recode(source.batch, codeOf(source), missing(source)))
  const others = setup.categorical.map((column, i) => codeCategorical(sources, { column, i, learns, rules }))
  return {
    batches: {
      reference: [...batch.categories],
      added,
      average: needsAverage ? freeName(averageBatch, (name) => known.has(name)) : null,
    },
    added: others.map((other) => other.added),
    categories: [batches, ...others.map((other) => other.codes)],
    notices: noticesOf(sources, { strangers, added, rules }),
  }
}

function codeCategorical(
  sources: readonly SourceCells[],
  {
    column,
    i,
    learns,
    rules,
  }: {
    column: ScviSetup['categorical'][number]
    i: number
    learns(source: SourceCells): boolean
    rules: CodingRules
  },
): { codes: Int32Array; added: string[] } {
  const known = new Map(column.categories.map((name, code) => [name, code]))
  const added: string[] = []
  for (const source of sources) {
    const fresh = occurring(source.categorical[i]!).filter((name) => !known.has(name))
    if (fresh.length === 0) continue
    if (!learns(source)) throw unknownCategory(source, { column: column.column ?? '', fresh, known, rules })
    for (const name of fresh.sort()) known.set(name, column.categories.length + added.push(name) - 1)
  }
  return {
    codes: joined(sources, ({ categorical }) => recode(categorical[i]!, (name) => known.get(name)!, -1)),
    added,
  }
}

function occurring({ codes, categories }: Coded): string[] {
  const used = new Uint8Array(categories.length)
  for (const code of codes) if (code >= 0) used[code] = 1
  return categories.filter((_, code) => used[code] === 1)
}

function recode({ codes, categories }: Coded, codeOf: (name: string) => number, missing: number): Int32Array {
  const places = categories.map(codeOf)
  return codes.map((code) => (code < 0 ? missing : places[code]!))
}

function joined(sources: readonly SourceCells[], of: (source: SourceCells) => Int32Array): Int32Array {
  const parts = sources.map(of)
  const whole = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** As it is wanted, or with a number behind it where that is taken. */
export function freeName(wanted: string, isTaken: (name: string) => boolean): string {
  let name = wanted
  for (let i = 2; isTaken(name); i++) name = `${wanted} ${i}`
  return name
}

function unknownCategory(
  { place }: SourceCells,
  {
    column,
    fresh,
    known,
    rules: { learning },
  }: { column: string; fresh: string[]; known: ReadonlyMap<string, number>; rules: CodingRules },
): BadInput {
  return new BadInput(
    'COVARIATE_UNKNOWN',
    `${place}:/obs/${printable(column)}`,
    `the model does not know ${shownNames(fresh)}; it knows ${shownNames([...known.keys()])}`,
    learning === undefined
      ? 'Write them as the model does'
      : `Write them as the model does, or let surgery learn them: ${learning}, with these cells as the query`,
  )
}

const fewestInBatch = 3

function noticesOf(
  sources: readonly SourceCells[],
  { strangers, added, rules }: { strangers: string[][]; added: string[]; rules: CodingRules },
): ErrorReport[] {
  const notices: ErrorReport[] = []
  for (const [i, source] of sources.entries()) {
    const place = `${source.place}:/obs`
    if (strangers[i]!.length > 0 && (rules.encodesBatches || rules.decodesBatches))
      notices.push({
        code: 'BATCH_UNKNOWN',
        place,
        problem: `the model does not know the batches ${shownNames(strangers[i]!)}: their cells are ${rules.encodesBatches ? 'placed' : 'decoded'} as those of an average batch of the reference`,
        remedy: source.isAtlas
          ? 'Give the cells that the model was trained on as the atlas'
          : rules.learning === undefined
            ? 'Nothing need be done where the batches are much like those of the reference'
            : `Let the model learn them: ${rules.learning}`,
      })
    if (source.isAtlas || rules.mode === 'frozen') continue
    const shared = occurring(source.batch).filter((name) => !added.includes(name))
    if (shared.length > 0 && added.length > 0)
      notices.push({
        code: 'BATCH_IN_REFERENCE',
        place,
        problem: `the batches ${shownNames(shared)} of the query are called as batches of the reference: they count as the same, and are not adapted to`,
        remedy: 'Rename them in the query unless they are the same samples',
      })
    const few = added.filter((name) => cellsOf(source.batch, name) < fewestInBatch)
    if (few.length > 0)
      notices.push({
        code: 'BATCH_SMALL',
        place,
        problem: `the batches ${shownNames(few)} have fewer than ${fewestInBatch} cells: little can be learnt of them`,
        remedy: 'Join them with the sample that they belong to, or leave them out',
      })
  }
  return notices
}

function cellsOf({ codes, categories }: Coded, name: string): number {
  const wanted = categories.indexOf(name)
  return codes.reduce((count, code) => count + Number(code === wanted), 0)
}
