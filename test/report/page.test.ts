import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ReportContent } from '../../lib/report/content.ts'
import { datum, html, jsonForScript, revealed, shownText } from '../../lib/report/html.ts'
import { dateAndTime, duration, measurement, percentage } from '../../lib/report/numbers.ts'
import { renderPage } from '../../lib/report/page.ts'
import { pageScript } from '../../lib/report/page-assets.ts'
import { renderMessage } from '../../lib/report/picture.ts'
import { hostileContent } from './hostile-content.ts'
import { sampleContent } from './sample-content.ts'

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
const policyOf = (page: string): string =>
  /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(page)![1]!

/** The page without its style and script: what comes from data and templates. */
const markupOf = (page: string): string => page.replace(/<(style|script)[^>]*>[\s\S]*?<\/\1>/g, '')

const pages: Record<string, ReportContent> = {
  'of a usual content': sampleContent(300),
  'of a hostile content': hostileContent(),
}

describe.each(Object.entries(pages))('the page %s', (_name, content) => {
  const page = renderPage(content)

  it('allows its own style and script by hash, pictures that it holds, and nothing else', () => {
    const script = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map((match) => match[1]!)
    const style = [...page.matchAll(/<style>([\s\S]*?)<\/style>/g)].map((match) => match[1]!)
    expect([script.length, style.length]).toEqual([1, 1])
    expect(policyOf(page).split('; ')).toEqual([
      "default-src 'none'",
      `script-src ${hashOf(script[0]!)}`,
      `style-src ${hashOf(style[0]!)}`,
      'img-src data:',
      "base-uri 'none'",
      "form-action 'none'",
    ])
    expect(page).not.toContain('unsafe-inline')
  })

  it('names the policy before anything that it governs', () => {
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<style'))
    expect(page.indexOf('Content-Security-Policy')).toBeLessThan(page.indexOf('<script'))
  })

  it('has no handlers and no styles in attributes, and loads nothing: links to the ontology are its only addresses', () => {
    const tags = [...markupOf(page).matchAll(/<[a-z][^>]*>/gi)].map(([tag]) => tag)
    const attributes = tags.flatMap((tag) => [...tag.matchAll(/\s([a-z-]+)(?:="([^"]*)")?/gi)])
    const names = new Set(attributes.map(([, name]) => name!.toLowerCase()))
    expect([...names].filter((name) => name === 'style' || name.startsWith('on'))).toEqual([])
    const addresses = attributes.filter(([, name]) => ['href', 'src', 'action', 'srcset'].includes(name!))
    const outside = addresses.map(([, , value]) => value!).filter((value) => !/^(#[a-z]+$|data:)/.test(value))
    expect(outside.length).toBeGreaterThan(0)
    for (const address of outside)
      expect(address).toMatch(/^https:\/\/www\.ebi\.ac\.uk\/ols4\/ontologies\/cl\/terms\?obo_id=CL:\d{7}$/)
    for (const [link] of page.matchAll(/<a [^>]*https:[^>]*>/g))
      expect(link).toContain('rel="noopener noreferrer"')
    expect(pageScript()).not.toMatch(
      /https?:|fetch\(|XMLHttpRequest|innerHTML|insertAdjacent|document\.write|eval\(/,
    )
  })

  it('holds only elements of the template: none has come in with a text', () => {
    const elements = new Set([...markupOf(page).matchAll(/<([a-z][a-z0-9]*)/gi)].map((match) => match[1]))
    const images = [...markupOf(page).matchAll(/<img [^>]*>/g)].map(([tag]) => tag)
    expect(elements).not.toContain('b')
    expect(elements).not.toContain('iframe')
    for (const image of images)
      expect(image).toMatch(
        /^<img src="data:image\/png;base64,[^"]*" alt="[^"]*"(?: width="\d+" height="\d+")?>$/,
      )
    expect(page.match(/<script/g)).toHaveLength(2)
  })

  it('carries its cells as JSON that ends where the script element ends', () => {
    const [, json] = /<script type="application\/json" id="map-data">([\s\S]*?)<\/script>/.exec(page)!
    expect(JSON.parse(json!).cells).toBe(content.layout!.rows)
    expect(json).not.toMatch(/[<\u2028\u2029]/)
  })
})

/** a bell, an escape, a delete, a high control character; overrides and isolates of direction; no width; tags */
const hidingCharacters = [
  ...['\u0007', '\u001b', '\u007f', '\u009b', '\u202a', '\u202b', '\u202c', '\u202d', '\u202e'],
  ...['\u2066', '\u2067', '\u2068', '\u2069', '\u200b', '\u200e', '\u200f', '\ufeff', '\u{e0041}'],
]
const hiding = /(?![\t\n])[\p{Cc}\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u

describe('the page', () => {
  it('says what is missing when there is no map, no cell, no label, no notice, no cost', () => {
    const empty: ReportContent = {
      ...sampleContent(0),
      headline: [],
      summary: [],
      layout: null,
      layoutAbsent: 'UMAP was switched off.',
      colourings: [],
      labelTable: [],
      notices: [],
      histograms: [],
      provenance: [],
      settings: [],
      timings: [],
      cost: null,
      files: [],
    }
    const page = renderPage(empty)
    expect(page).toContain('UMAP was switched off.')
    expect(page).toContain('Nothing was skipped, guessed or done differently')
    expect(page).not.toMatch(/id="(labels|quality|provenance|cost|files|map-data)"/)
    expect(markupOf(page)).not.toMatch(/undefined|NaN|Infinity|\[object/)
    expect(markupOf(renderPage(sampleContent(1)))).not.toMatch(/undefined|NaN|Infinity|\[object/)
  })

  it('lists each notice with code, place, problem and remedy, and says once what holds for many places', () => {
    const content = sampleContent(50)
    const page = renderPage(content)
    for (const { code, place, problem, remedy } of content.notices)
      for (const text of [code, place, problem, remedy]) expect(page).toContain(datum(text).text)
    expect(page.split('fewer than 200 counts').length - 1).toBe(1)
    expect(page).toContain('9 times')
  })

  it('says how many cells are drawn and how many have no place', () => {
    const content = sampleContent(40)
    content.layout!.xy[3] = Number.NaN
    expect(renderPage(content)).toContain('1 have no position and are not drawn')
  })

  it('shows a figure as large as it is drawn, with words for who cannot see it, and lets it be seen in full size', async () => {
    const png = await renderMessage('x', { message: 'y' })
    const [plain, told] = [
      { title: 'Marker genes <b>', caption: 'of each type', png },
      { title: 'Map', caption: '', alt: '9 of 10 cells "pass"', png },
    ]
    const page = renderPage({ ...sampleContent(20), figures: [plain, told] })
    const images = [...markupOf(page).matchAll(/<img src="[^"]*"([^>]*)>/g)].map((match) => match[1])
    expect(images).toEqual([
      ' alt="Marker genes &lt;b&gt;" width="640" height="220"',
      ' alt="9 of 10 cells &quot;pass&quot;" width="640" height="220"',
    ])
    expect(page.match(/<input type="checkbox"> Full size/g)).toHaveLength(2)
  })

  it('is the same for the same content', () => {
    expect(renderPage(sampleContent(200))).toBe(renderPage(sampleContent(200)))
  })

  it('refuses a content whose lengths contradict each other, rather than shift labels by a cell', () => {
    const content = sampleContent(20)
    const [labels] = content.colourings
    if (labels?.kind !== 'categorical') throw new Error('not categorical')
    const short = { ...labels, codes: labels.codes.slice(1) }
    const wrong = { ...labels, codes: labels.codes.with(4, 13) }
    for (const colouring of [short, wrong])
      expect(() => renderPage({ ...content, colourings: [colouring] })).toThrow(
        /REPORT_CONTENT|cells|categories/,
      )
    const figures = [{ title: 'x', caption: '', png: new TextEncoder().encode('<svg onload=alert(1)>') }]
    expect(() => renderPage({ ...content, figures })).toThrow(/not a PNG/)
  })
})

describe('text from data', () => {
  it('never brings a tag, an attribute or the end of a script, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(html`${text}`.text).not.toMatch(/[<>"']/)
        expect(datum(text).text.replace(/<\/?bdi>/g, '')).not.toMatch(/[<>"'\u202a-\u202e\u2066-\u2069]/)
        const json = jsonForScript({ text }).text
        expect(json).not.toMatch(/[<\u2028\u2029]/)
        expect(JSON.parse(json)).toEqual({ text: revealed(text) })
      }),
    )
  })

  it('shows what would hide in it or turn the line around, wherever it enters the page', () => {
    const hostile = fc.constantFrom(...hidingCharacters)
    fc.assert(
      fc.property(fc.array(fc.oneof(hostile, fc.string({ unit: 'binary' }))), (pieces) => {
        const text = pieces.join('')
        for (const shown of [
          html`${text}`.text,
          datum(text).text,
          jsonForScript({ text }).text,
          revealed(text),
        ])
          expect(shown).not.toMatch(hiding)
        expect(revealed(revealed(text))).toBe(revealed(text))
      }),
    )
    expect(revealed('a\u0007\tb\u2067c')).toBe('a⟨U+0007⟩\tb⟨U+2067⟩c')
    expect(revealed('\u{e0041}')).toBe('⟨U+E0041⟩')
  })

  it('hides nowhere on a page whose every label, gene, column and place tries to', () => {
    const page = renderPage(hostileContent())
    expect(page).not.toMatch(hiding)
    for (const character of hidingCharacters) expect(page).toContain(`T${revealed(character)}cell`)
  })

  it('is shown whole but for what hides or turns it, and long text says how long it is', () => {
    expect(shownText('CD4+ T, naïve 🧬 細胞')).toBe('CD4+ T, naïve 🧬 細胞')
    expect(shownText('a\u202eb\u0000')).toBe('a⟨U+202E⟩b⟨U+0000⟩')
    expect(shownText('x'.repeat(10_000))).toBe(`${'x'.repeat(240)}… (10000 characters)`)
    expect(shownText('🧬'.repeat(300), 5)).toBe('🧬🧬🧬🧬🧬… (600 characters)')
  })
})

describe('numbers for readers', () => {
  it('have the figures that mean something', () => {
    expect([0, 2.34567, 12_345.6, 0.0001234, 1e9, Number.NaN].map(measurement)).toEqual([
      '0',
      '2.35',
      '12,346',
      '1.23e-4',
      '1.00e+9',
      '–',
    ])
    expect([0, 0.0002, 0.5, 0.9999, 1].map(percentage)).toEqual([
      '0.0 %',
      '< 0.1 %',
      '50.0 %',
      '> 99.9 %',
      '100.0 %',
    ])
    expect([0.42, 59.6, 61, 3725].map(duration)).toEqual(['0.4 s', '60 s', '1 min 1 s', '1 h 2 min'])
    expect(dateAndTime('2026-11-28T14:03:11Z')).toBe('28 November 2026, 14:03 UTC')
    expect(['yesterday', '<img src=1>', '2026-13-40T00:00Z'].map(dateAndTime)).toEqual([
      'yesterday',
      '<img src=1>',
      '2026-13-40T00:00Z',
    ])
  })
})
