/** The tables of the page: labels with their ontology terms, notices, facts, timings, and tables that a workflow adds. */
import type { ErrorReport } from '../job/errors.ts'
import type { Fact, LabelRow, OntologyCandidate, TextTable } from './content.ts'
import { datum, Html, html } from './html.ts'
import { duration, percentage, wholeNumber } from './numbers.ts'
import { bar } from './page-figures.ts'

const rowsWithoutScrolling = 25
const noticesAtOnce = 3
const noticesAtMost = 100
const placesAtOnce = 3
const placesAtMost = 100

/** Where a label stands among the colourings of the map, so that it can be shown there. */
export interface MapPlace {
  colouring: number
  code: number
  colour: string
}

/** @param placeOf null for labels that the map cannot show */
export function labelTable(
  rows: readonly LabelRow[],
  { measure, placeOf }: { measure: string; placeOf(label: string): MapPlace | null },
): Html {
  const hasMeasure = rows.some(({ meanUncertainty }) => meanUncertainty !== null)
  const hasTier = rows.some(({ tier }) => tier !== null)
  return html`<div class="table-frame${rows.length > rowsWithoutScrolling && ' table-scrolls'}" tabindex="0" role="region" aria-label="Labels"><table data-sortable class="labels">
<thead><tr>${heading('Label', 'text')}${heading('Cells', 'number')}${hasMeasure && heading(measure, 'number')}${heading('Cell Ontology term', 'text')}${hasTier && heading('Found by', 'text')}</tr></thead>
<tbody>${rows.map(
    (
      row,
    ) => html`<tr><th scope="row" data-key="${row.label.toWellFormed().slice(0, 240)}">${labelCell(row.label, placeOf(row.label))}</th>
<td data-key="${row.cells}" class="number"><span>${wholeNumber(row.cells)}</span> <span class="faint">${percentage(row.share)}</span>${bar(row.share)}</td>
${hasMeasure && html`<td data-key="${row.meanUncertainty}" class="number">${row.meanUncertainty === null ? '–' : html`<span>${row.meanUncertainty.toFixed(2)}</span>${bar(row.meanUncertainty, 'bar bar-measure')}`}</td>`}
<td data-key="${row.ontologyId}" class="term">${ontologyTerm(row)}</td>
${hasTier && html`<td data-key="${row.tier}" class="tier">${row.tier === null ? '–' : datum(row.tier)}</td>`}</tr>
`,
  )}</tbody></table></div>`
}

function heading(text: string, sort: 'text' | 'number'): Html {
  return html`<th scope="col" data-sort="${sort}"><button type="button">${datum(text, 60)}</button></th>`
}

function labelCell(label: string, place: MapPlace | null): Html {
  if (place === null) return datum(label)
  return html`<button type="button" class="show-label" data-colouring="${place.colouring}" data-show="${place.code}" title="Show on the map"><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="5" fill="${place.colour}"/></svg>${datum(label)}</button>`
}

function ontologyTerm({ ontologyId, ontologyName, candidates = [] }: LabelRow): Html {
  const found =
    ontologyId === null
      ? html`<span class="absent">no term</span>`
      : html`${ontologyName !== null && html`${datum(ontologyName)} `}${ontologyLink(ontologyId)}`
  if (candidates.length === 0) return found
  const shown = candidates.slice(0, 12)
  return html`${found}<details><summary>${candidates.length} ${candidates.length === 1 ? 'other candidate' : 'candidates'}</summary><ul>${shown.map(candidate)}${candidates.length > shown.length && html`<li>and ${candidates.length - shown.length} more</li>`}</ul></details>`
}

function candidate({ id, name }: OntologyCandidate): Html {
  return html`<li>${datum(name)} ${ontologyLink(id)}</li>`
}

/** A link only for what is an id of the Cell Ontology and nothing else. */
function ontologyLink(id: string): Html {
  if (!/^CL:\d{7}$/.test(id)) return html`<span class="id">${datum(id, 40)}</span>`
  return html`<a class="id" href="https://www.ebi.ac.uk/ols4/ontologies/cl/terms?obo_id=${id}" rel="noopener noreferrer" target="_blank">${id}</a>`
}

/** Notices by code, in the order in which the codes first come; what was said of many places is said once, with the places. */
export function noticeList(notices: readonly ErrorReport[]): Html {
  if (notices.length === 0)
    return html`<p>Nothing was skipped, guessed or done differently from what was asked.</p>`
  const byCode = Map.groupBy(notices, ({ code }) => code)
  return html`<ul class="notices">${[...byCode].map(([code, group]) => {
    const said = [...Map.groupBy(group, ({ problem, remedy }) => JSON.stringify([problem, remedy])).values()]
    const [open, folded] = [said.slice(0, noticesAtOnce), said.slice(noticesAtOnce, noticesAtMost)]
    const left = said.length - open.length - folded.length
    return html`<li><p class="notice-code"><code>${datum(code, 80)}</code>${group.length > 1 && html` <span class="count">${wholeNumber(group.length)} times</span>`}</p>
${open.map(notice)}${folded.length > 0 && html`<details><summary>${wholeNumber(said.length - open.length)} more</summary>${folded.map(notice)}${left > 0 && html`<p>and ${wholeNumber(left)} more</p>`}</details>`}</li>
`
  })}</ul>`
}

function notice(alike: readonly ErrorReport[]): Html {
  const { problem, remedy } = alike[0]!
  const places = alike.slice(0, placesAtMost).map(({ place }) => html`<li>${datum(place, 400)}</li>`)
  const left = alike.length - places.length
  const rest = places.slice(placesAtOnce)
  return html`<div class="notice"><p>${datum(problem, 1000)}</p>${remedy !== '' && html`<p><span class="faint">What helps:</span> ${datum(remedy, 1000)}</p>`}
<ul class="notice-places">${places.slice(0, placesAtOnce)}</ul>${rest.length > 0 && html`<details><summary>${wholeNumber(alike.length - placesAtOnce)} more places</summary><ul class="notice-places">${rest}${left > 0 && html`<li>and ${wholeNumber(left)} more</li>`}</ul></details>`}</div>`
}

export function factList(facts: readonly Fact[]): Html {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${datum(name)}</dt><dd>${datum(value, 2000)}</dd></div>`)}</dl>`
}

export function timingTable(timings: readonly { step: string; seconds: number }[]): Html {
  const total = timings.reduce((sum, { seconds }) => sum + seconds, 0)
  return html`<table class="timings"><thead><tr><th scope="col">Step</th><th scope="col">Time</th><td></td></tr></thead>
<tbody>${timings.map(({ step, seconds }) => html`<tr><th scope="row">${datum(step)}</th><td class="number">${duration(seconds)}</td><td>${bar(total > 0 ? seconds / total : 0)}</td></tr>`)}</tbody>
<tfoot><tr><th scope="row">Total</th><td class="number">${duration(total)}</td><td></td></tr></tfoot></table>`
}

export function textTable({ title, caption, columns, rows }: TextTable): Html {
  return html`<h3>${datum(title)}</h3>${caption !== undefined && html`<p>${datum(caption, 2000)}</p>`}
<div class="table-frame${rows.length > rowsWithoutScrolling && ' table-scrolls'}" tabindex="0" role="region" aria-label="${title}"><table data-sortable><thead><tr>${columns.map((column, i) => heading(column, rows.every((row) => isNumeric(row[i] ?? '')) ? 'number' : 'text'))}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td data-key="${cell.slice(0, 240)}"${isNumeric(cell) && new Html(' class="number"')}>${datum(cell)}</td>`)}</tr>`)}</tbody></table></div>`
}

function isNumeric(cell: string): boolean {
  return cell === '' || Number.isFinite(Number(cell))
}
