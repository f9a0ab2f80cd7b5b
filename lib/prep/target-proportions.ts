/**
 * Target proportions as users give them: a JSON object or a CSV file with the columns cell_type and proportion, types named by label,
 * by Cell Ontology name or by Cell Ontology id.
 *
 * SpatialCore (0.3) compares names with whatever column cells are grouped by, so that names fail where that is the id. Here a group is
 * found by any of its names; what may mean two groups is an error, never a guess.
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import { type CsvTable, csvTable, headerOf } from '../knowledge/csv-table.ts'
import { plainText } from '../knowledge/label-text.ts'
import { cellOntologyId } from '../knowledge/ontology.ts'
import type { Proportions } from './proportion-check.ts'
import { checkKnown, checkRange } from './proportion-check.ts'
import { shownName, shownNames } from './shown-names.ts'

/** larger files hold something else */
const largestFile = 2 ** 22
const columns = { name: 'cell_type', value: 'proportion' } as const
const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/

/**
 * The proportions of a file, in its order. Further columns of a CSV file are not looked at.
 * @throws BadInput PROPORTIONS_FORMAT, PROPORTIONS_COLUMNS, PROPORTIONS_NUMBER, PROPORTIONS_RANGE, PROPORTIONS_REPEATED
 */
export function readProportions(
  bytes: Uint8Array,
  { place, format }: { place: string; format: 'json' | 'csv' },
): Map<string, number> {
  const text = textOf(bytes, place)
  const entries = format === 'json' ? fromJson(text, place) : fromCsv(text, place)
  const repeated = repeatedOf(entries.map(([name]) => name))
  if (repeated.length > 0) throw twice(`${shownNames(repeated)} have more than one proportion`, place)
  const proportions = new Map(entries)
  if (proportions.size === 0) throw badFormat('there are no proportions in it', place)
  checkRange(proportions, place)
  return proportions
}

function textOf(bytes: Uint8Array, place: string): string {
  if (bytes.length > largestFile) throw badFormat(`it has ${bytes.length} bytes`, place)
  try {
    // a mark at its start is taken off
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    throw badFormat('it is not text in UTF-8', place, error)
  }
}

function fromJson(text: string, place: string): [string, number][] {
  const value = parsed(text, place)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badFormat('it is not a JSON object of types and their proportions', place)
  const entries = Object.entries(value)
  // the parser keeps the last of equal keys; in an object of numbers every string is a key
  const strings = text.match(/"(?:[^"\\]|\\.)*"/g) ?? []
  const repeated = repeatedOf(strings.map((string) => JSON.parse(string) as string))
  if (strings.length > entries.length && repeated.length > 0)
    throw twice(`${shownNames(repeated)} have more than one proportion`, place)
  return entries.map(([name, proportion]) => {
    if (typeof proportion !== 'number') throw noNumber(name, { given: JSON.stringify(proportion), place })
    return [name, proportion]
  })
}

function parsed(text: string, place: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw badFormat('it is not JSON', place, error)
  }
}

function fromCsv(text: string, place: string): [string, number][] {
  const { names, separator, rows } = tableOf(text, place)
  const [name, value] = [names.indexOf(columns.name), names.indexOf(columns.value)]
  return rows.map(({ line, fields }) => {
    if (fields.length !== names.length)
      throw badFormat(`line ${line} has ${fields.length} fields and the first line ${names.length}`, place)
    const type = fields[name]!.trim()
    if (type === '') throw badFormat(`line ${line} names no type`, place)
    const given = fields[value]!.trim()
    // where commas do not stand between fields, one may be the decimal point of the country
    const number = separator === ',' ? given : given.replace(',', '.')
    if (!decimal.test(number)) throw noNumber(type, { given, place: `${place}: line ${line}` })
    return [type, Number(number)]
  })
}

/** Under whichever separator has both columns, as spreadsheets save it. */
function tableOf(text: string, place: string): CsvTable {
  const nameOf = (field: string) => field.trim()
  let table: CsvTable | undefined
  try {
    table = csvTable(text, { required: Object.values(columns), nameOf })
  } catch (error) {
    if (error instanceof RangeError) throw badFormat(error.message, place, error)
    throw error
  }
  const names = table?.names ?? headerOf(text).map(nameOf)
  if (table !== undefined && repeatedOf(names.filter((one) => one !== '')).length === 0) return table
  throw new BadInput(
    'PROPORTIONS_COLUMNS',
    place,
    names.length === 0 ? 'the file is empty' : `the columns are ${shownNames(names)}`,
    `The first line names the columns, each once: ${columns.name} and ${columns.value}`,
  )
}

/** A class of the training cells, with all that it may be called. */
export interface NamedGroup {
  name: string
  /** Cell Ontology id and name, if it has one */
  id: string | null
  termName: string | null
  /** labels of references whose cells are in it */
  labels: readonly string[]
}

/**
 * @returns the proportions by name of the group, and a notice that says which name was matched how
 * @throws BadInput PROPORTIONS_UNKNOWN, PROPORTIONS_AMBIGUOUS, PROPORTIONS_REPEATED
 */
export function resolveProportions(
  given: Proportions,
  groups: readonly NamedGroup[],
  { place }: { place: string },
): { proportions: Map<string, number>; notices: ErrorReport[] } {
  const index = indexOf(groups)
  const known = new Set(groups.flatMap(namesOf))
  const matches = [...given.keys()].map((key) => ({ key, found: foundBy(key, index) }))
  const unknown = matches.filter(({ found }) => found.length === 0).map(({ key }) => key)
  checkKnown(unknown, { names: [...known], place })
  const owners = new Map<NamedGroup, string>()
  const proportions = new Map<string, number>()
  const said: string[] = []
  for (const { key, found } of matches) {
    const [match] = found
    if (match === undefined) continue
    const { group, how } = match
    if (found.length > 1) throw ambiguous(key, { groups: found.map((one) => one.group), place })
    const other = owners.get(group)
    if (other !== undefined)
      throw twice(`${shownName(other)} and ${shownName(key)} are one type, ${shownName(group.name)}`, place)
    owners.set(group, key)
    proportions.set(group.name, given.get(key)!)
    said.push(`${shownName(key)} as ${how}${key === group.name ? '' : ` of ${shownName(group.name)}`}`)
  }
  return { proportions, notices: said.length === 0 ? [] : [matched(said, place)] }
}

type How = 'label' | 'Cell Ontology name' | 'Cell Ontology id'

interface Match {
  group: NamedGroup
  how: How
}

/** Names as they stand, and in their plain form; of one group the first way counts. */
interface NameIndex {
  exact: Map<string, Match[]>
  plain: Map<string, Match[]>
}

function indexOf(groups: readonly NamedGroup[]): NameIndex {
  const index: NameIndex = { exact: new Map(), plain: new Map() }
  for (const group of groups) {
    const add = (name: string, how: How) => {
      note(index.exact, { key: name, match: { group, how } })
      note(index.plain, { key: plainText(name), match: { group, how } })
    }
    for (const label of group.labels) add(label, 'label')
    if (group.termName !== null) add(group.termName, 'Cell Ontology name')
    if (group.id !== null) add(group.id, 'Cell Ontology id')
    add(group.name, 'label')
  }
  return index
}

function note(index: Map<string, Match[]>, { key, match }: { key: string; match: Match }): void {
  const known = index.get(key)
  if (known === undefined) index.set(key, [match])
  else if (!known.some(({ group }) => group === match.group)) known.push(match)
}

/** The name as it stands before its plain form; "CL_0000623" is an id as well. */
function foundBy(key: string, { exact, plain }: NameIndex): readonly Match[] {
  return exact.get(key) ?? exact.get(cellOntologyId(key) ?? key) ?? plain.get(plainText(key)) ?? []
}

function namesOf({ name, id, termName, labels }: NamedGroup): string[] {
  return [name, ...labels, termName, id].filter((one) => one !== null)
}

function repeatedOf(names: readonly string[]): string[] {
  const seen = new Set<string>()
  return [...new Set(names.filter((name) => seen.size === seen.add(name).size))]
}

function matched(said: readonly string[], place: string): ErrorReport {
  const more = said.length > 10 ? ` and ${said.length - 10} more` : ''
  return {
    code: 'PROPORTIONS_MATCHED',
    place,
    problem: `target proportions were read so: ${said.slice(0, 10).join(', ')}${more}`,
    remedy: 'Nothing to do if that is meant',
  }
}

function ambiguous(
  key: string,
  { groups, place }: { groups: readonly NamedGroup[]; place: string },
): BadInput {
  const names = groups.map(({ name, id }) => (id === null || id === name ? name : `${name} (${id})`))
  return new BadInput(
    'PROPORTIONS_AMBIGUOUS',
    place,
    `${shownName(key)} may be ${groups.length} types: ${shownNames(names)}`,
    'Name the type by its Cell Ontology id or by its label, letter by letter',
  )
}

function twice(problem: string, place: string): BadInput {
  return new BadInput('PROPORTIONS_REPEATED', place, problem, 'Give each type one proportion')
}

function noNumber(name: string, { given, place }: { given: string; place: string }): BadInput {
  const problem = `the proportion of ${shownName(name)} is ${shownName(given)}, not a number`
  return new BadInput(
    'PROPORTIONS_NUMBER',
    place,
    problem,
    'Write a number from 0 to 1, with a decimal point',
  )
}

function badFormat(problem: string, place: string, cause?: unknown): BadInput {
  const remedy = `Give a .json file such as {"NK cell": 0.0025} or a .csv file with the columns ${columns.name},${columns.value}`
  return new BadInput('PROPORTIONS_FORMAT', place, problem, remedy, { cause })
}
