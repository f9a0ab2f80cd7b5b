/** A report in which every text wants to do harm: end the script, load a picture, turn the line around, be too long. */
import type { ReportContent } from '../../lib/report/content.ts'
import { sampleContent } from './sample-content.ts'

export const hostileTexts = [
  '</script><script>window.harm=1</script>',
  '"><img src=x onerror="window.harm=1">',
  "' onmouseover='window.harm=1",
  '<!--<script>',
  'T cell \u202egnp.exe',
  '\u2028window.harm=1//\u2029',
  'javascript:window.harm=1',
  '{{constructor.constructor("window.harm=1")()}}',
  '\u0000\u0007\ud800 half a character',
  ...Array.from(
    '\u0007\u001b\u007f\u009b\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff\u{e0041}',
    (character) => `T${character}cell`,
  ),
  '__proto__',
  '🧬 T γδ 細胞 خلية',
  '',
  'A'.repeat(10_000),
]

/** 500 labels, of which the first are those above; they are also every other text of the page. */
export function hostileContent(): ReportContent {
  const rows = 1500
  const base = sampleContent(rows)
  const labels = Array.from({ length: 500 }, (_, i) => hostileTexts[i] ?? `label ${i} <b>&amp;`)
  const [script, image] = hostileTexts as [string, string]
  const both = script + image
  return {
    ...base,
    title: both,
    subtitle: image,
    product: { name: script, version: image },
    created: image,
    jobId: both,
    headline: hostileTexts.map((text) => ({ label: text, value: text, note: text })),
    summary: hostileTexts,
    layout: { name: both, rows, xy: base.layout!.xy, note: both },
    colourings: [
      {
        kind: 'categorical',
        name: both,
        codes: Int32Array.from({ length: rows }, (_, cell) => cell % 500),
        categories: labels,
        colours: Object.fromEntries(labels.map((label) => [label, `red" onload="window.harm=1`])),
      },
      { kind: 'number', name: image, values: new Float32Array(rows).fill(1), low: script, high: image },
    ],
    labelTable: labels.map((label, i) => ({
      label,
      cells: i,
      share: i / rows,
      meanUncertainty: i % 2 === 0 ? 0.5 : null,
      ontologyId: i === 0 ? 'CL:0000084' : `CL:0000084" onclick="window.harm=1${label.slice(0, 50)}`,
      ontologyName: label,
      tier: label,
      candidates: [{ id: 'javascript:window.harm=1', name: label }],
    })),
    labelMeasure: image,
    labelColouring: both,
    notices: hostileTexts.map((text) => ({ code: text, place: text, problem: text, remedy: text })),
    histograms: [
      {
        title: script,
        caption: image,
        from: 0,
        to: 1,
        counts: [1, 2],
        groups: [{ name: image, counts: [1, 0] }],
      },
    ],
    figures: [{ title: image, caption: script, png: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d) }],
    tables: [{ title: image, caption: script, columns: hostileTexts, rows: [hostileTexts] }],
    provenance: hostileTexts.map((text) => [text, text]),
    settings: [[script, image]],
    timings: [{ step: image, seconds: 1 }],
    cost: { text: image, lines: [[script, image]] },
    files: [{ name: image, note: script }],
  }
}
