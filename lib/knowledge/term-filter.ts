/**
 * Which cells to take, as an expression over ontology ids: `CL:0000084 | (CL:0000236 & ~CL:0000786)`. NOT (~) binds tighter than
 * AND (&), AND tighter than OR (|), as in SpatialCore. A cell has an id when any of its id columns does, so ids of tissues and
 * diseases may stand beside those of cell types. The trap: an id means itself, not what is below it in the ontology, unless a plus
 * follows it (`CL:0000084+`), which SpatialCore does not have.
 */
import { BadInput } from '../job/errors.ts'

export interface TermFilter {
  /** every id of the expression once, as 'CL:0000084', in its order */
  ids: readonly string[]
  /**
   * @param ids all that a cell has, of every column; any case, CL_0000084 too
   * @param above every id above one of these in the ontology, for ids with a plus; none unless told
   */
  matches(ids: Iterable<string>, above?: (id: string) => Iterable<string>): boolean
}

type Test = (ids: ReadonlySet<string>) => boolean

interface Token {
  /** an id, perhaps with a plus, one of | & ~ ( ), or '' at the end */
  text: string
  /** from 1 */
  at: number
}

const longest = 10_000
const deepest = 100

/** @throws BadInput TERM_FILTER, naming the position of the first character that does not fit */
export function parseTermFilter(text: string, place = 'filter'): TermFilter {
  if (text.length > longest) throw fault(place, { at: longest, problem: `longer than ${longest} characters` })
  const reader: Reader = { tokens: tokensOf(text, place), next: 0, place }
  const test = either(reader, 0)
  const rest = reader.tokens[reader.next]!
  if (rest.text !== '') throw unexpected(rest, { place, wanted: '| or &' })
  const ids = reader.tokens.map(({ text: token }) => token.replace('+', '')).filter((id) => id.length > 1)
  return {
    ids: [...new Set(ids)],
    matches: (own, above = () => []) => test(meant([...own].map(plainId), above)),
  }
}

/** What of an expression these ids answer to: themselves, and with a plus themselves and all above. */
function meant(ids: readonly string[], above: (id: string) => Iterable<string>): Set<string> {
  return new Set(ids.flatMap((id) => [id, `${id}+`, ...Array.from(above(id), (higher) => `${higher}+`)]))
}

const plainId = (text: string) => text.trim().toUpperCase().replace('_', ':')

interface Reader {
  tokens: readonly Token[]
  next: number
  place: string
}

function tokensOf(text: string, place: string): Token[] {
  const tokens: Token[] = []
  const pattern = /\s*(?:([A-Za-z]{2,20}[:_]\d{1,12}\+?)(?![A-Za-z0-9_:+])|([|&~()]))/y
  let at = 0
  const end = text.trimEnd().length
  while (at < end) {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found === null) {
      const start = at + text.slice(at).search(/\S/)
      const word = text.slice(start, start + 20).split(/\s/)[0]
      throw fault(place, { at: start + 1, problem: `"${word}" is no ontology id and none of | & ~ ( )` })
    }
    const [, id, sign] = found
    const token = sign ?? plainId(id!)
    at = pattern.lastIndex
    tokens.push({ text: token, at: at - token.length + 1 })
  }
  tokens.push({ text: '', at: text.length + 1 })
  return tokens
}

function either(reader: Reader, depth: number): Test {
  const tests = [both(reader, depth)]
  while (takes(reader, '|')) tests.push(both(reader, depth))
  return tests.length === 1 ? tests[0]! : (ids) => tests.some((test) => test(ids))
}

function both(reader: Reader, depth: number): Test {
  const tests = [not(reader, depth)]
  while (takes(reader, '&')) tests.push(not(reader, depth))
  return tests.length === 1 ? tests[0]! : (ids) => tests.every((test) => test(ids))
}

function not(reader: Reader, depth: number): Test {
  let negated = false
  while (takes(reader, '~')) negated = !negated
  const test = single(reader, depth)
  return negated ? (ids) => !test(ids) : test
}

function single(reader: Reader, depth: number): Test {
  const token = reader.tokens[reader.next]!
  if (takes(reader, '(')) {
    if (depth >= deepest)
      throw fault(reader.place, { at: token.at, problem: `more than ${deepest} brackets deep` })
    const test = either(reader, depth + 1)
    if (!takes(reader, ')'))
      throw unexpected(reader.tokens[reader.next]!, { place: reader.place, wanted: ')' })
    return test
  }
  if (token.text.length <= 1)
    throw unexpected(token, { place: reader.place, wanted: 'an ontology id, ~ or (' })
  reader.next++
  return (ids) => ids.has(token.text)
}

function takes(reader: Reader, sign: string): boolean {
  if (reader.tokens[reader.next]!.text !== sign) return false
  reader.next++
  return true
}

function unexpected(token: Token, { place, wanted }: { place: string; wanted: string }): BadInput {
  const found = token.text === '' ? 'it ends' : `there is "${token.text}"`
  return fault(place, { at: token.at, problem: `${found} where ${wanted} should be` })
}

const fault = (place: string, { at, problem }: { at: number; problem: string }) =>
  new BadInput(
    'TERM_FILTER',
    `${place}, character ${at}`,
    problem,
    'Write ids such as CL:0000084 (or CL:0000084+, with all below it) with | (or), & (and), ~ (not) and brackets',
  )
