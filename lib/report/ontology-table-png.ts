/**
 * Labels and the Cell Ontology terms they were given, as a coloured table: SpatialCore's `plot_ontology_mapping`, with its colours
 * for pattern, exact, token, overlap and unmapped. Our own ways of matching take the colour of the one that is most alike.
 *
 * The trap: colour says how a term was found, not whether it is right; so the way stands in words beside it.
 */
import { shownText } from './html.ts'
import { counted, measurement, wholeNumber } from './numbers.ts'
import {
  drawTitle,
  encodePicture,
  fillSharp,
  frameColour,
  openPicture,
  type Picture,
  renderMessage,
  rim,
  titleHeight,
} from './picture.ts'
import { drawText, faint, measuringContext, textWidth } from './picture-text.ts'

const mostRows = 60
const rowHeight = 22
const headHeight = 26
const legendHeight = 30
const textSize = 12

type Kind = 'exact' | 'pattern' | 'token' | 'overlap' | 'none' | 'other'

const kinds: readonly { kind: Kind; name: string; colour: string }[] = [
  { kind: 'exact', name: 'exact: given, name or synonym', colour: '#cce5ff' },
  { kind: 'pattern', name: 'pattern or alias', colour: '#d4edda' },
  { kind: 'token', name: 'words or suggestion', colour: '#fff3cd' },
  { kind: 'overlap', name: 'overlap or ambiguous', colour: '#f8d7da' },
  { kind: 'none', name: 'unmapped or skipped', colour: '#e9ecef' },
  { kind: 'other', name: 'other', colour: '#ffffff' },
]

/** Names of tiers, ours and SpatialCore's, with the colour and the words for each. */
const tiers: ReadonlyMap<string, readonly [Kind, string]> = new Map([
  ['existing', ['exact', 'given']],
  ['name', ['exact', 'exact name']],
  ['synonym', ['exact', 'synonym']],
  ['tier1_exact', ['exact', 'exact (tier 1)']],
  ['alias', ['pattern', 'alias']],
  ['tier0_pattern', ['pattern', 'pattern (tier 0)']],
  ['suggestion', ['token', 'suggestion']],
  ['tier2_token', ['token', 'words (tier 2)']],
  ['ambiguous', ['overlap', 'ambiguous']],
  ['tie', ['overlap', 'ambiguous']],
  ['tier3_overlap', ['overlap', 'overlap (tier 3)']],
  ['unmapped', ['none', 'unmapped']],
  ['skipped', ['none', 'names no cell type']],
])

export interface OntologyTableRow {
  label: string
  /** of the term; null where there is none */
  name: string | null
  id: string | null
  /** as `ontology-match.ts` names it, or as SpatialCore does; another is shown as it is, on white */
  tier: string
  /** 0 to 1; null where there is none */
  score: number | null
  cells: number
}

export interface OntologyTablePicture {
  title: string
  rows: readonly OntologyTableRow[]
  /** why there is no row, where there is none */
  absent?: string
  pixelRatio?: number
}

interface Column {
  head: string
  text(row: OntologyTableRow): string
  width: number
  align?: 'right'
}

const columns: readonly Column[] = [
  { head: 'label', text: ({ label }) => label, width: 240 },
  { head: 'Cell Ontology term', text: ({ name }) => name ?? '–', width: 330 },
  { head: 'identifier', text: ({ id }) => id ?? '–', width: 110 },
  { head: 'found as', text: ({ tier }) => tiers.get(tier)?.[1] ?? tier, width: 140 },
  { head: 'score', text: ({ score }) => measurement(score ?? Number.NaN), width: 60, align: 'right' },
  { head: 'cells', text: ({ cells }) => wholeNumber(cells), width: 100, align: 'right' },
]
const tableWidth = columns.reduce((sum, { width }) => sum + width, 0)

/** @returns the PNG: the 60 labels of most cells, below how many more there are, above the count of each kind of match */
export async function renderOntologyTable(options: OntologyTablePicture): Promise<Uint8Array> {
  const { rows, pixelRatio = 2 } = options
  const title = shownText(options.title)
  if (rows.length === 0) {
    const message = options.absent ?? 'There are no labels, or none was looked up in the Cell Ontology.'
    return renderMessage(title, { message: shownText(message, 1000), pixelRatio })
  }
  const cellsOf = ({ cells }: OntologyTableRow): number => (Number.isFinite(cells) ? cells : 0)
  const sorted = [...rows].sort((a, b) => cellsOf(b) - cellsOf(a))
  const shown = sorted.slice(0, mostRows)
  const rest = sorted.slice(mostRows)
  const legend = placeLegend(rows)
  const top = titleHeight(1) + legend.lines * 22 + legendHeight - 22
  const picture = openPicture({
    width: 2 * rim + tableWidth,
    height: top + headHeight + rowHeight * (shown.length + (rest.length > 0 ? 1 : 0)) + rim,
    pixelRatio,
  })
  drawTitle(picture, { title, notes: [summary(rows)] })
  legend.draw(picture, titleHeight(1))
  drawHead(picture, top)
  shown.forEach((row, i) => {
    drawRow(picture, { row, top: top + headHeight + rowHeight * i })
  })
  if (rest.length > 0) {
    const cells = rest.reduce((sum, row) => sum + cellsOf(row), 0)
    drawText(picture.context, `and ${counted(rest.length, 'more label')} with ${counted(cells, 'cell')}`, {
      left: rim + 8,
      top: top + headHeight + rowHeight * shown.length + 16,
      size: textSize,
      colour: faint,
    })
  }
  return encodePicture(picture)
}

function kindOf({ tier }: OntologyTableRow): Kind {
  return tiers.get(tier)?.[0] ?? 'other'
}

function summary(rows: readonly OntologyTableRow[]): string {
  const mapped = rows.filter(({ id }) => id !== null)
  const cells = (list: readonly OntologyTableRow[]): number =>
    list.reduce((sum, row) => sum + (Number.isFinite(row.cells) ? row.cells : 0), 0)
  return `${wholeNumber(mapped.length)} of ${counted(rows.length, 'label')} have a term, which are ${wholeNumber(cells(mapped))} of ${counted(cells(rows), 'cell')}`
}

/** The kinds that occur, each with its number of labels, in as many lines as they need. */
function placeLegend(rows: readonly OntologyTableRow[]): {
  lines: number
  draw(picture: Picture, top: number): void
} {
  const measure = measuringContext()
  const entries: { text: string; colour: string; left: number; line: number }[] = []
  let [left, line] = [rim, 0]
  for (const { kind, name, colour } of kinds) {
    const labels = rows.filter((row) => kindOf(row) === kind).length
    if (labels === 0) continue
    const text = `${name} (${wholeNumber(labels)})`
    const width = 24 + textWidth(measure, text, { size: textSize }) + 20
    if (left + width > rim + tableWidth + 20) [left, line] = [rim, line + 1]
    entries.push({ text, colour, left, line })
    left += width
  }
  return {
    lines: line + 1,
    draw(picture, top) {
      for (const entry of entries) {
        const place = { left: entry.left, top: top + 22 * entry.line }
        fillSharp(picture, { ...place, width: 16, height: 14 }, entry.colour)
        picture.context.strokeStyle = frameColour
        picture.context.lineWidth = 0.75
        picture.context.strokeRect(place.left, place.top, 16, 14)
        drawText(picture.context, entry.text, { left: place.left + 24, top: place.top + 11, size: textSize })
      }
    },
  }
}

function drawHead(picture: Picture, top: number): void {
  eachColumn(({ head, align }, place) => {
    drawText(picture.context, head, {
      ...place,
      ...(align && { align }),
      top: top + 17,
      size: textSize,
      bold: true,
    })
  })
  fillSharp(picture, { left: rim, top: top + headHeight - 1, width: tableWidth, height: 1 }, frameColour)
}

function drawRow(picture: Picture, { row, top }: { row: OntologyTableRow; top: number }): void {
  const { colour } = kinds.find(({ kind }) => kind === kindOf(row))!
  fillSharp(picture, { left: rim, top, width: tableWidth, height: rowHeight - 1 }, colour)
  eachColumn(({ text, align }, place) => {
    const shown = shownText(text(row)).trim() || '(no name)'
    drawText(picture.context, shown, { ...place, ...(align && { align }), top: top + 15, size: textSize })
  })
}

/** Calls with each column and where its text goes. */
function eachColumn(draw: (column: Column, place: { left: number; most: number }) => void): void {
  let left = rim
  for (const column of columns) {
    const most = column.width - 16
    draw(column, { left: column.align === 'right' ? left + column.width - 8 : left + 8, most })
    left += column.width
  }
}
