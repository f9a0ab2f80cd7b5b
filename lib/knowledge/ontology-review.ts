/**
 * What the matching of labels found, as a table that a person corrects in a spreadsheet and passes back. What needs a decision
 * stands first. `cl_id` is what will be taken when nobody decides; `decision` says otherwise: a Cell Ontology id (also a candidate as
 * copied from its cell, or a term's name), "keep" (a class of its own, without a term) or "drop" (these cells train nothing).
 */
import type { ErrorReport } from '../job/errors.ts'
import { BadInput } from '../job/errors.ts'
import { readEditedCsv } from './edited-csv.ts'
import type { Ontology, Term } from './ontology.ts'
import { cellOntologyId, loadOntology } from './ontology.ts'
import type { LabelMatch } from './ontology-match.ts'
import { suggestTerms } from './ontology-suggest.ts'

/** An id that is in use, or one of the two words. */
export type Decision = `CL:${string}` | 'keep' | 'drop'

/** As writeCsv of lib/report takes it; its guard against formulas is undone by readReview. */
export interface ReviewColumn {
  name: string
  values: readonly (string | number | null)[]
}

export interface OntologyReview {
  /** by label; labels that are left open are not here */
  decisions: ReadonlyMap<string, Decision>
  notices: ErrorReport[]
}

const code = 'ONTOLOGY_REVIEW'
const mostProblems = 10

/** Columns label, n_cells, cl_id, cl_name, tier, score, reason, candidates, decision; a row for each label. */
export function reviewTable(rows: readonly { match: LabelMatch; cells: number }[]): ReviewColumn[] {
  const sorted = rows.toSorted(
    (a, b) =>
      urgency(a.match) - urgency(b.match) ||
      b.cells - a.cells ||
      (a.match.label < b.match.label ? -1 : a.match.label > b.match.label ? 1 : 0),
  )
  const column = (name: string, value: (row: (typeof sorted)[number]) => string | number | null) => ({
    name,
    values: sorted.map(value),
  })
  return [
    column('label', ({ match }) => match.label),
    column('n_cells', ({ cells }) => cells),
    column('cl_id', ({ match }) => match.id),
    column('cl_name', ({ match }) => match.name),
    column('tier', ({ match }) => match.tier),
    column('score', ({ match }) => match.score),
    column('reason', ({ match }) => match.reason ?? null),
    column('candidates', ({ match }) => candidatesOf(match)),
    column('decision', () => null),
  ]
}

/** Without a term 0, taken on a suggestion 1, matched 2, no cell type at all 3. */
function urgency({ id, tier }: LabelMatch): number {
  if (tier === 'skipped') return 3
  if (id === null) return 0
  return tier === 'suggestion' ? 1 : 2
}

function candidatesOf({ candidates, fallback }: LabelMatch): string | null {
  const told = candidates.map(({ id, name, score }) => `${id} ${name} (${score})`)
  if (fallback !== undefined) told.push(`${fallback.id} ${fallback.name} (all of them)`)
  return told.length === 0 ? null : told.join('; ')
}

/**
 * The table as a person saved it (readEditedCsv says in which forms). Only label, cl_id and decision are read, and cl_name to see
 * whether somebody changed one of the two.
 * @param options.labels of the data: others in the table are a notice
 * @throws BadInput ONTOLOGY_REVIEW with row and column of every fault, the first ten of them
 */
export async function readReview(
  bytes: Uint8Array,
  place: string,
  { labels }: { labels?: Iterable<string> } = {},
): Promise<OntologyReview> {
  const ontology = await loadOntology()
  const table = readEditedCsv(bytes, { place, code, required: ['label', 'decision'] })
  const decided = new Map<string, { decision: Decision; row: number }>()
  const problems: string[] = []
  for (const { number, cells } of table.rows) {
    const label = cells.get('label')!
    const answer = decisionOf(cells, ontology)
    if (answer === undefined) continue
    const before = decided.get(label)
    if ('problem' in answer) problems.push(`row ${number}, column ${answer.column}: ${answer.problem}`)
    else if (before !== undefined && before.decision !== answer.decision)
      problems.push(
        `row ${number}, column label: ${told(label)} is "${answer.decision}" here and "${before.decision}" in row ${before.row}`,
      )
    else if (before === undefined) decided.set(label, { decision: answer.decision, row: number })
  }
  if (problems.length > 0) throw faults(problems, place)
  return {
    decisions: new Map([...decided].map(([label, { decision }]) => [label, decision])),
    notices: [...table.notices, ...strangers(decided.keys(), { place, labels })],
  }
}

function faults(problems: readonly string[], place: string): BadInput {
  const more = problems.length > mostProblems ? `; and ${problems.length - mostProblems} more` : ''
  return new BadInput(
    code,
    place,
    problems.slice(0, mostProblems).join('; ') + more,
    'Write a Cell Ontology id such as CL:0000084, "keep" or "drop" into the column decision',
  )
}

type Answer = { decision: Decision } | { problem: string; column: string }

/** Undefined where the row decides nothing. */
function decisionOf(cells: ReadonlyMap<string, string>, ontology: Ontology): Answer | undefined {
  const decision = cells.get('decision')!.trim()
  const id = (cells.get('cl_id') ?? '').trim()
  const word = decision.toLowerCase()
  if (word === 'keep' || word === 'drop') return { decision: word }
  const column = decision === '' ? 'cl_id' : 'decision'
  const text = decision === '' ? id : decision
  if (text === '') return isEmptied(cells) ? { problem: emptied, column } : undefined
  const term = termOf(text, { label: cells.get('label')!, ontology })
  if (typeof term === 'string') return { problem: term, column }
  const name = (cells.get('cl_name') ?? '').trim().toLowerCase()
  const other = decision === '' ? ontology.byName.get(name) : undefined
  if (other !== undefined && other.id !== term.id)
    return {
      problem: `${term.id} is ${term.name}, but cl_name says ${other.name} (${other.id}); write the id that is meant into decision`,
      column,
    }
  return { decision: term.id as Decision }
}

const emptied = 'the id was deleted; write "keep", "drop" or another id into decision'

/** There was an id in this row: its name or its score is still there. */
const isEmptied = (cells: ReadonlyMap<string, string>) =>
  ['cl_name', 'score'].some((column) => (cells.get(column) ?? '').trim() !== '')

/** The term that a cell names, or what is wrong. */
function termOf(text: string, { label, ontology }: { label: string; ontology: Ontology }): Term | string {
  const named = ontology.byName.get(text.toLowerCase())
  if (named !== undefined) return named
  const written = /^(CL[:_]\d{7})(?!\d)\s*(.*)$/is.exec(text)
  const id = cellOntologyId(written?.[1] ?? '')
  if (written === null || id === undefined) {
    const near = nearest(text, ontology) ?? nearest(label, ontology)
    return `${told(text)} is no Cell Ontology id, "keep" or "drop"${near === undefined ? '' : `; perhaps ${near}`}`
  }
  const term = ontology.byId.get(id)
  if (term === undefined) return outOfUse(id, { label, ontology })
  const rest = written[2]!.trim()
  if (rest !== '' && !new RegExp(`^${escaped(term.name)}\\s*(\\([^()]*\\))?$`, 'i').test(rest))
    return `${told(text)} says more than one term; ${id} is ${term.name}`
  return term
}

function outOfUse(id: string, { label, ontology }: { label: string; ontology: Ontology }): string {
  const now = ontology.byId.get(ontology.replacedBy.get(id) ?? '')
  if (now !== undefined) return `${id} is out of use; ${now.id} (${now.name}) took its place`
  const near = nearest(label, ontology)
  return `the Cell Ontology ${ontology.version} has no term ${id} in use${near === undefined ? '' : `; perhaps ${near}`}`
}

function nearest(text: string, ontology: Ontology): string | undefined {
  const [best] = suggestTerms(text.slice(0, 1000), ontology)
  return best === undefined ? undefined : `${best.id} (${best.name})`
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const told = (text: string) => JSON.stringify(text.slice(0, 60))

function strangers(
  decided: Iterable<string>,
  { place, labels }: { place: string; labels: Iterable<string> | undefined },
): ErrorReport[] {
  if (labels === undefined) return []
  const known = new Set(labels)
  const others = [...decided].filter((label) => !known.has(label))
  if (others.length === 0) return []
  const few = others.slice(0, 5).map(told).join(', ')
  return [
    {
      code: `${code}_LABELS`,
      place,
      problem: `${others.length} labels of the table are not in the data (${few}${others.length > 5 ? ', ...' : ''})`,
      remedy: 'Their decisions were not used; a spreadsheet may have changed the text, as 007 to 7',
    },
  ]
}

/** The matches with what the review decided: tier 'reviewed', or 'skipped' for what is dropped. */
export async function applyReview(
  matches: readonly LabelMatch[],
  decisions: OntologyReview['decisions'],
): Promise<LabelMatch[]> {
  const { byId } = await loadOntology()
  return matches.map((match) => {
    const decision = decisions.get(match.label)
    if (decision === undefined) return match
    const { label, candidates } = match
    const none = { label, id: null, name: null, score: null, candidates }
    if (decision === 'drop') return { ...none, tier: 'skipped', reason: 'dropped by the review table' }
    if (decision === 'keep')
      return { ...none, tier: 'reviewed', reason: 'kept under its own name by the review table' }
    const reason = 'decided in the review table'
    const name = byId.get(decision)?.name
    if (name === undefined) throw new RangeError(`${decision} is no term in use`)
    return { label, id: decision, name, tier: 'reviewed', score: 1, candidates: [], reason }
  })
}
