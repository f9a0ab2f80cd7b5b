/**
 * The report as one HTML file that asks nothing of the network: style, script, cells and figures are in it. Its content security
 * policy allows exactly this style and this script, by hash; so even a label that slipped through as HTML could not run or load.
 *
 * Everything but the map is plain HTML, readable without the script and in print.
 */
import { createHash } from 'node:crypto'
import { checkContent, type Layout, type ReportContent } from './content.ts'
import { datum, Html, html, jsonForScript, shownText } from './html.ts'
import { type MapData, mapData } from './map-data.ts'
import { dateAndTime, wholeNumber } from './numbers.ts'
import { pageScript, pageStyle } from './page-assets.ts'
import { figure, histogramFigure } from './page-figures.ts'
import { factList, labelTable, type MapPlace, noticeList, textTable, timingTable } from './page-tables.ts'

/**
 * @returns HTML in UTF-8
 * @throws BadInput REPORT_CONTENT when the content contradicts itself
 */
export function renderPage(content: ReportContent): string {
  checkContent(content)
  const map =
    content.layout === null || content.colourings.length === 0
      ? null
      : mapData(content.layout, content.colourings)
  const sections = pageSections(content, map).filter(({ body }) => body !== null)
  const [style, script] = [pageStyle(), pageScript()]
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Html(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${shownText(content.title)} - ${shownText(content.product.name)}</title>
<style>${new Html(style)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
${pageHeader(content)}
<nav aria-label="Sections"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
<main id="content">
${sections.map(({ id, title, body }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>\n${body}\n</section>\n`)}
</main>
<footer><p>Made by ${datum(content.product.name)} ${datum(content.product.version)}. This file loads nothing from the network and holds no names of cells.</p></footer>
${map !== null && html`<script type="application/json" id="map-data">${jsonForScript(map)}</script>`}
<script>${new Html(script)}</script>
</body>
</html>
`.text
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

function pageHeader({ title, subtitle, product, created, jobId }: ReportContent): Html {
  return html`<header>
<h1>${datum(title)}</h1>
${subtitle !== undefined && html`<p class="subtitle">${datum(subtitle, 1000)}</p>`}
<p class="made"><span>${datum(dateAndTime(created))}</span><span>job ${datum(jobId)}</span><span>${datum(product.name)} ${datum(product.version)}</span></p>
</header>`
}

interface Section {
  id: string
  title: string
  /** null: there is nothing to say */
  body: Html | null
}

function pageSections(content: ReportContent, map: MapData | null): Section[] {
  const { notices, labelTable: labels, histograms, figures, tables = [], cost, timings, files } = content
  const when = (wanted: boolean, body: () => Html): Html | null => (wanted ? body() : null)
  return [
    { id: 'summary', title: 'Summary', body: summary(content) },
    { id: 'map', title: 'Map', body: mapSection(content, map) },
    { id: 'labels', title: 'Labels', body: when(labels.length > 0, () => labelSection(content, map)) },
    {
      id: 'notices',
      title: notices.length > 0 ? `Notices (${wholeNumber(notices.length)})` : 'Notices',
      body: noticeList(notices),
    },
    {
      id: 'quality',
      title: 'Quality',
      body: when(
        histograms.length + figures.length + tables.length > 0,
        () => html`${histograms.map(histogramFigure)}${tables.map(textTable)}${figures.map(figure)}`,
      ),
    },
    { id: 'provenance', title: 'Provenance', body: facts(content.provenance) },
    { id: 'settings', title: 'Settings', body: facts(content.settings) },
    { id: 'timings', title: 'Time', body: when(timings.length > 0, () => timingTable(timings)) },
    {
      id: 'cost',
      title: 'Cost',
      body: cost && html`<p>${datum(cost.text, 2000)}</p>${cost.lines.length > 0 && factList(cost.lines)}`,
    },
    {
      id: 'files',
      title: 'Files',
      body: when(files.length > 0, () => factList(files.map(({ name, note }) => [name, note]))),
    },
  ]
}

function facts(list: ReportContent['settings']): Html | null {
  return list.length > 0 ? factList(list) : null
}

function summary({ headline, summary: paragraphs, notices }: ReportContent): Html {
  const figures = headline.map(
    ({ label, value, note }) =>
      html`<div><dt>${datum(label)}</dt><dd><span class="headline-value">${datum(value)}</span>${note !== undefined && html`<span class="headline-note">${datum(note, 400)}</span>`}</dd></div>`,
  )
  return html`<dl class="headline">${figures}</dl>
${paragraphs.map((paragraph) => html`<p>${datum(paragraph, 4000)}</p>`)}
${notices.length > 0 && html`<p class="to-notices"><a href="#notices">${notices.length === 1 ? 'One thing' : `${wholeNumber(notices.length)} things`} to know</a> about what was skipped, guessed or done differently.</p>`}`
}

function mapSection(content: ReportContent, map: MapData | null): Html {
  const { layout } = content
  if (layout === null || map === null)
    return html`<p>${datum(content.layoutAbsent ?? 'No layout of the cells was computed, so there is no map.', 1000)}</p>`
  return html`<p>${drawnText(map)} ${datum(layoutNote(layout), 1000)}</p>
<noscript><p>The map needs its script, which this program was not allowed to run.</p></noscript>
<div class="map">
<div class="map-controls" id="map-controls" hidden>
<div class="chooser"><label for="colour-by">Colour by</label><div class="chooser-field"><input id="colour-by" type="text" role="combobox" aria-expanded="false" aria-controls="colour-by-list" aria-autocomplete="list" autocomplete="off" spellcheck="false"><ul id="colour-by-list" role="listbox" aria-label="Colour by" hidden></ul></div></div>
<label class="point-size">Point size <input id="point-size" type="range" min="-2" max="2" step="0.25" value="0"></label>
<div class="map-buttons" role="group" aria-label="Zoom"><button type="button" id="zoom-out" aria-label="Zoom out">−</button><button type="button" id="zoom-in" aria-label="Zoom in">+</button><button type="button" id="zoom-reset">Reset</button></div>
</div>
<div class="map-stage"><canvas id="map-canvas" tabindex="0" role="application" aria-label="Map of cells (${map.name})" aria-describedby="map-help"></canvas><span class="map-axes" aria-hidden="true">${datum(map.name, 20)} 1 →<br>↑ ${datum(map.name, 20)} 2</span><dl class="map-tip" id="map-tip" hidden></dl><p class="map-hint" id="map-hint" hidden>Click the map first, or hold Ctrl, to zoom with the wheel</p></div>
<div class="map-legend" id="map-legend"></div>
</div>
<p class="map-help" id="map-help">Drag to move; wheel (after a click on the map), pinch or double-click to zoom. Keys: arrows, + and −, 0 to reset, Escape to leave. Click a label to see it alone, Shift-click to add one.</p>
<p class="hidden" id="map-status" aria-live="polite"></p>`
}

function drawnText({ cells, drawn, unplaced }: MapData): Html {
  const unplacedText = unplaced > 0 && html` ${wholeNumber(unplaced)} have no position and are not drawn.`
  if (drawn + unplaced === cells)
    return html`${cells === 1 ? '1 cell' : `${wholeNumber(cells)} cells`}, one point each, drawn in random order.${unplacedText}`
  return html`<strong>${wholeNumber(drawn)} of ${wholeNumber(cells)} cells are drawn</strong>, a random sample, so that the page stays quick.${unplacedText} Counts and tables are of all cells.`
}

function layoutNote({ name, note }: Layout): string {
  if (note !== undefined) return note
  return /umap|t-?sne/i.test(name)
    ? `Near cells are alike; distances between groups and sizes of groups in a ${name} mean little.`
    : ''
}

function labelSection(content: ReportContent, map: MapData | null): Html {
  const without = content.labelTable.filter(({ ontologyId }) => ontologyId === null).length
  return html`<p>Each label with the Cell Ontology term that stands for it.${without > 0 && ` ${without === 1 ? 'One label has' : `${wholeNumber(without)} labels have`} none.`} <span class="on-screen">Click a heading to sort${map !== null && ', a label to see it on the map'}.</span></p>
${labelTable(content.labelTable, { measure: content.labelMeasure ?? 'Mean uncertainty', placeOf: labelPlaces(content, map) })}`
}

function labelPlaces(
  { labelColouring, colourings }: ReportContent,
  map: MapData | null,
): (label: string) => MapPlace | null {
  const index = colourings.findIndex(({ kind, name }) => kind === 'categorical' && name === labelColouring)
  const data = map?.colourings[index]
  if (data?.kind !== 'categorical') return () => null
  const codes = new Map(data.categories.map(({ name }, code) => [name, code]))
  return (label) => {
    const code = codes.get(shownText(label))
    return code === undefined ? null : { colouring: index, code, colour: data.categories[code]!.colour }
  }
}
