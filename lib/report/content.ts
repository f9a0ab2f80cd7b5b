/**
 * What a report page says, as plain data; `page.ts` shows it. Every workflow fills it with its own words, so nothing here knows
 * of any one of them. Text may be anything, also hostile. Cell names have no place here: a report is passed on, barcodes are not.
 */
import { BadInput, type ErrorReport } from '../job/errors.ts'

/** Name and value, both shown as text. */
export type Fact = readonly [name: string, value: string]

export interface CategoricalColouring {
  kind: 'categorical'
  name: string
  /** one a cell; -1 where the value is missing */
  codes: Int32Array
  categories: readonly string[]
  /** '#rrggbb' by category; others get the palette of `colours.ts` */
  colours?: Readonly<Record<string, string>>
}

export interface NumberColouring {
  kind: 'number'
  name: string
  /** one a cell; NaN (or infinite) where the value is missing */
  values: Float32Array
  /** what the ends of the scale mean, e.g. 'sure' and 'unsure' */
  low?: string
  high?: string
  /** ends of the colour scale; without it the 1st and the 99th percentile, which the page says */
  range?: readonly [number, number]
}

export type Colouring = CategoricalColouring | NumberColouring

export interface Layout {
  /** e.g. 'UMAP'; the axes are called after it */
  name: string
  /** cells */
  rows: number
  /** rows x 2, row after row; cells with a coordinate that is not finite are not drawn, and the page says how many */
  xy: Float32Array
  /** how to read it; UMAP and t-SNE have a sentence of their own */
  note?: string
}

export interface OntologyCandidate {
  id: string
  name: string
}

export interface LabelRow {
  label: string
  cells: number
  /** of all cells, 0 to 1 */
  share: number
  /** 0 to 1; null where there is none */
  meanUncertainty: number | null
  /** 'CL:0000000'; anything else is shown without a link */
  ontologyId: string | null
  ontologyName: string | null
  /** how the term was found, in words, e.g. 'exact name'; null where none was looked for */
  tier: string | null
  /** terms that would do as well, of which none was picked */
  candidates?: readonly OntologyCandidate[]
}

/** Counts in bins of equal width from `from` to `to`, over all cells and, where wanted, by group. See `histogram.ts`. */
export interface Histogram {
  title: string
  caption?: string
  from: number
  to: number
  counts: readonly number[]
  groups?: readonly { name: string; counts: readonly number[] }[]
}

export interface Figure {
  title: string
  caption: string
  /** what it shows, for who cannot see it; the title, if left out */
  alt?: string
  png: Uint8Array
}

export interface TextTable {
  title: string
  caption?: string
  columns: readonly string[]
  rows: readonly (readonly string[])[]
}

export interface ReportContent {
  title: string
  subtitle?: string
  product: { name: string; version: string }
  /** ISO 8601, UTC */
  created: string
  jobId: string
  /** the few numbers a reader wants first */
  headline: readonly { label: string; value: string; note?: string }[]
  /** what was done to the data, in plain sentences, one a paragraph */
  summary: readonly string[]
  layout: Layout | null
  /** why there is no map, where there is none */
  layoutAbsent?: string
  /** the first one is shown first */
  colourings: readonly Colouring[]
  labelTable: readonly LabelRow[]
  /** heading of the column `meanUncertainty`, which it replaces */
  labelMeasure?: string
  /** name of the categorical colouring that shows the labels of the table */
  labelColouring?: string
  notices: readonly ErrorReport[]
  histograms: readonly Histogram[]
  figures: readonly Figure[]
  tables?: readonly TextTable[]
  provenance: readonly Fact[]
  settings: readonly Fact[]
  timings: readonly { step: string; seconds: number }[]
  cost: { text: string; lines: readonly Fact[] } | null
  files: readonly { name: string; note: string }[]
}

/**
 * @throws BadInput REPORT_CONTENT when lengths or codes contradict each other: a map with shifted labels looks right and is not
 */
export function checkContent({ layout, colourings, figures }: ReportContent): void {
  const wrong = (place: string, problem: string): never => {
    throw new BadInput(
      'REPORT_CONTENT',
      `report:${place}`,
      problem,
      'This is a defect of the workflow; report it',
    )
  }
  if (layout !== null && layout.xy.length !== 2 * layout.rows)
    wrong('layout', `${layout.xy.length} coordinates for ${layout.rows} cells`)
  for (const colouring of colourings) {
    const length = colouring.kind === 'number' ? colouring.values.length : colouring.codes.length
    if (layout !== null && length !== layout.rows)
      wrong(colouring.name, `${length} values for ${layout.rows} cells`)
    if (colouring.kind === 'categorical') {
      const last = colouring.categories.length - 1
      if (colouring.codes.some((code) => code < -1 || code > last))
        wrong(colouring.name, `a code lies outside of the ${last + 1} categories`)
    }
  }
  for (const { title, png } of figures)
    if (png[0] !== 0x89 || png[1] !== 0x50 || png[2] !== 0x4e || png[3] !== 0x47)
      wrong(title, 'the figure is not a PNG')
}
