/**
 * `npm run bench:report`: the PNG against the same canvas library drawing one circle a cell, and the page against the same cells as
 * JSON numbers, alternately, in this run; and a frame of the map in Chromium. Fills the section "report" of BENCHMARKS.md; with
 * BENCH_CELLS (cells instead of 100,000) it prints only.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createCanvas } from '@napi-rs/canvas'
import { displayColours } from '../../lib/report/colours.ts'
import type { Colouring, NumberColouring, ReportContent } from '../../lib/report/content.ts'
import { renderPage } from '../../lib/report/page.ts'
import { renderScatter } from '../../lib/report/scatter-png.ts'
import { hasBrowser, launchBrowser, openPage } from '../../test/report/browser.ts'
import { sampleCells, sampleContent } from '../../test/report/sample-content.ts'
import { machine, median, today, writeSection } from '../section.ts'

const rounds = 3
const cells = Number(process.env.BENCH_CELLS ?? 100_000)

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}

/** Medians of both sides, one round of each in turn; the first round only warms up. */
async function compare(ours: () => unknown, peer: () => unknown): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    const pair = [await timed(ours), await timed(peer)] as const
    if (round === 0) continue
    times[0].push(pair[0])
    times[1].push(pair[1])
  }
  return [median(times[0]), median(times[1])]
}

function contentOf(rows: number): ReportContent {
  const base = sampleContent(rows)
  const more: NumberColouring[] = ['a', 'b', 'c'].map((name) => ({
    kind: 'number',
    name,
    values: sampleCells(rows, { seed: name.charCodeAt(0) }).uncertainty.values,
  }))
  return { ...base, colourings: [...base.colourings, ...more] }
}

/** One path and one fill a cell, as a plot library does it. */
function circles(xy: Float32Array, codes: Int32Array): Promise<Buffer> {
  const canvas = createCanvas(2000, 1440)
  const context = canvas.getContext('2d')
  const colours = displayColours(Array.from({ length: 13 }, (_, i) => String(i)))
  for (let cell = 0; cell < codes.length; cell++) {
    context.fillStyle = colours[codes[cell]!]!
    context.beginPath()
    context.arc(700 + 80 * xy[2 * cell]!, 700 - 80 * xy[2 * cell + 1]!, 1.3, 0, 2 * Math.PI)
    context.fill()
  }
  return canvas.encode('png')
}

/** What a plotting library's page holds: numbers as text, with three digits behind the point. */
function asJson({ layout, colourings }: ReportContent): string {
  const numbers = (values: ArrayLike<number>): number[] =>
    Array.from(values, (value) => Math.round(1000 * value) / 1000)
  const one = (colouring: Colouring): number[] =>
    numbers(colouring.kind === 'number' ? colouring.values : colouring.codes)
  return JSON.stringify({ xy: numbers(layout!.xy), colourings: colourings.map(one) })
}

/** Seconds to colour and draw all cells once, canvas of 800 x 640, median of 15. */
async function frameSeconds(page: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'celldrop-bench-'))
  const path = join(folder, 'report.html')
  writeFileSync(path, page)
  const browser = await launchBrowser()
  try {
    const opened = await openPage(browser, { address: pathToFileURL(path).href })
    const times = (await opened.page.evaluate(`Array.from({ length: 15 }, () => {
      const start = performance.now()
      window.dispatchEvent(new Event('afterprint'))
      return performance.now() - start
    })`)) as number[]
    return median(times) / 1000
  } finally {
    await browser.close()
    rmSync(folder, { recursive: true })
  }
}

async function run(): Promise<string> {
  const content = contentOf(cells)
  const [labels] = content.colourings
  if (labels?.kind !== 'categorical') throw new Error('the first colouring is of labels')
  const { xy } = content.layout!
  const png = await compare(
    () => renderScatter({ xy, colouring: labels, title: 'Cells' }),
    () => circles(xy, labels.codes),
  )
  let [page, json] = ['', '']
  const html = await compare(
    () => {
      page = renderPage(content)
    },
    () => {
      json = asJson(content)
    },
  )
  const large = contentOf(10 * cells)
  let largePage = ''
  const largeSeconds = await timed(() => {
    largePage = renderPage(large)
  })
  const size = (text: string): string => `${(Buffer.byteLength(text) / 1e6).toFixed(2)} MB`
  const row = (what: string, [ours, peer]: [number, number], sizes = ['', '']): string =>
    `| ${what} | ${ours.toFixed(3)} s${sizes[0]} | ${peer.toFixed(3)} s${sizes[1]} | ${(peer / ours).toFixed(1)} x |`
  const count = cells.toLocaleString('en-GB')
  return [
    `Machine: ${machine()}.`,
    `${today()}, median of ${rounds}.`,
    '',
    '| task | Celldrop | peer | ratio |',
    '|---|---|---|---|',
    row(`PNG of ${count} cells, 2000 x 1440; peer: one circle a cell by @napi-rs/canvas`, png),
    row(
      `page of ${count} cells with ${content.colourings.length} colourings; peer: the same numbers as JSON`,
      html,
      [`, ${size(page)}`, `, ${size(json)}`],
    ),
    '',
    `The page of ${(10 * cells).toLocaleString('en-GB')} cells: ${largeSeconds.toFixed(2)} s, ${size(largePage)}.`,
    hasBrowser
      ? `Chromium without a graphics card colours and draws the ${count} cells in ${(1000 * (await frameSeconds(page))).toFixed(1)} ms.`
      : 'A frame of the map was not measured: there is no Chromium.',
  ].join('\n')
}

const section = await run()
console.log(section)
if (process.env.BENCH_CELLS === undefined) writeSection('report', section)
