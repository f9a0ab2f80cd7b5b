import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { displayColours } from '../../lib/report/colours.ts'
import { renderPage } from '../../lib/report/page.ts'
import { renderMessage } from '../../lib/report/picture.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'
import { drawn, hasBrowser, launchBrowser, mapColours, middleOf, type Opened, openPage } from './browser.ts'
import { hostileContent, hostileTexts } from './hostile-content.ts'
import { sampleContent } from './sample-content.ts'

const content = sampleContent(2000)
const palette = displayColours(content.labelTable.map(({ label }) => label))

describe.skipIf(!hasBrowser)('the page in a browser', () => {
  let browser: Browser
  let opened: Opened
  let folder: TemporaryFolder
  const addresses: Record<string, string> = {}

  beforeAll(async () => {
    folder = await temporaryFolder()
    const png = await renderMessage('Wide', { message: 'a figure of 640 points' })
    const figures = [{ title: 'Wide', caption: 'wider than a phone', png }]
    const contents = {
      usual: content,
      hostile: hostileContent(),
      one: sampleContent(1),
      none: sampleContent(0),
      figures: { ...sampleContent(50), figures },
    }
    for (const [name, each] of Object.entries(contents)) {
      const path = join(folder.path, `${name}.html`)
      writeFileSync(path, renderPage(each))
      addresses[name] = pathToFileURL(path).href
    }
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await folder[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    expect(opened.said).toEqual([])
    expect(opened.requests).toEqual([])
    await opened.page.close()
  })

  const open = async (name: string, options: { dark?: boolean; width?: number } = {}): Promise<Page> => {
    opened = await openPage(browser, { address: addresses[name]!, ...options })
    return opened.page
  }
  const choose = async (page: Page, name: string): Promise<void> => {
    await page.click('#colour-by')
    await page.keyboard.type(name)
    await page.keyboard.press('Enter')
  }
  const text = (page: Page, selector: string): Promise<unknown> =>
    page.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`)

  it('draws cells of every label in its colour, says nothing to the console and asks nothing of the network', async () => {
    const colours = await mapColours(await open('usual'))
    for (const colour of palette) expect(colours.get(colour), colour).toBeGreaterThan(5)
    expect(colours.get('#ffffff')).toBeGreaterThan(10_000)
  })

  it('changes colours, legend and what it says when another colouring is chosen by typing', async () => {
    const page = await open('usual')
    await choose(page, 'uncert')
    const colours = await mapColours(page)
    expect(palette.filter((colour) => (colours.get(colour) ?? 0) > 20)).toEqual([])
    expect(colours.size).toBeGreaterThan(200)
    expect(await text(page, '#map-legend')).toContain('unsure')
    expect(await text(page, '#map-status')).toBe('Coloured by uncertainty')
    await choose(page, 'don')
    expect(await text(page, '#map-legend')).toContain('donor 2')
    await page.click('#colour-by')
    await page.keyboard.type('no such name')
    await page.keyboard.press('Escape')
    expect(await page.$eval('#colour-by', (input) => (input as unknown as { value: string }).value)).toBe(
      'donor',
    )
  })

  it('follows the mouse when it is dragged, and zooms about the pointer by the wheel once it has the focus', async () => {
    const page = await open('usual')
    await page.evaluate(`document.getElementById('map').scrollIntoView()`)
    const before = await middleOf(page, palette[0]!)
    const box = (await (await page.$('#map-canvas'))!.boundingBox())!
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
    await page.mouse.move(x, y)
    await page.mouse.wheel({ deltaY: -100 })
    expect(await middleOf(page, palette[0]!)).toEqual(before)
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x + 60, y + 25)
    await page.mouse.up()
    const moved = await middleOf(page, palette[0]!)
    expect(moved.x - before.x).toBeCloseTo(60, 0)
    expect(moved.y - before.y).toBeCloseTo(25, 0)
    await page.mouse.move(box.x + moved.x, box.y + moved.y)
    await page.mouse.wheel({ deltaY: -200 })
    const zoomed = await middleOf(page, palette[0]!)
    expect(zoomed.spread / moved.spread).toBeCloseTo(Math.exp(0.5), 0)
    expect(Math.abs(zoomed.x - moved.x)).toBeLessThan(6)
    await page.click('#zoom-reset')
    expect(await middleOf(page, palette[0]!)).toEqual(before)
  })

  it('moves and zooms by the keys alone, and lets go of the focus', async () => {
    const page = await open('usual')
    await page.focus('#map-canvas')
    const before = await middleOf(page, palette[0]!)
    await page.keyboard.press('ArrowLeft')
    expect((await middleOf(page, palette[0]!)).x - before.x).toBeCloseTo(40, 0)
    await page.keyboard.press('ArrowUp')
    expect((await middleOf(page, palette[0]!)).y - before.y).toBeCloseTo(40, 0)
    await page.keyboard.press('0')
    expect(await middleOf(page, palette[0]!)).toEqual(before)
    await page.keyboard.press('+')
    expect((await middleOf(page, palette[0]!)).spread).toBeGreaterThan(1.2 * before.spread)
    await page.keyboard.press('Escape')
    expect(await page.evaluate('document.activeElement === document.body')).toBe(true)
  })

  it('can be reached by the Tab key: sections, colouring, sizes, zoom, map, legend, in this order', async () => {
    const page = await open('usual')
    const reached: unknown[] = []
    for (let i = 0; i < 22; i++) {
      await page.keyboard.press('Tab')
      reached.push(await page.evaluate('document.activeElement.id || document.activeElement.className'))
    }
    const wanted = ['skip', 'colour-by', 'point-size', 'zoom-out', 'zoom-in', 'zoom-reset', 'map-canvas']
    expect(reached.filter((name) => wanted.includes(String(name)))).toEqual(wanted)
    expect(reached).toContain('legend-entry')
  })

  it('shows one label alone when it is clicked, adds one with Shift, and all again', async () => {
    const page = await open('usual')
    const first = '.legend-list li:nth-child(1) button'
    const [name, second] = await page.$$eval('.legend-name', (names) =>
      names.map((each) => each.textContent ?? ''),
    )
    const colourOf = (label: string | undefined): string =>
      palette[content.labelTable.findIndex((row) => row.label === label)]!
    await page.click(first)
    const alone = await mapColours(page)
    expect(palette.filter((colour) => alone.has(colour))).toEqual([colourOf(name)])
    expect(await text(page, '#map-status')).toBe(`Shown alone: ${name}`)
    expect(await page.$eval(first, (button) => button.getAttribute('aria-pressed'))).toBe('true')
    await page.keyboard.down('Shift')
    await page.click('.legend-list li:nth-child(2) button')
    await page.keyboard.up('Shift')
    const two = await mapColours(page)
    expect(palette.filter((colour) => two.has(colour)).sort()).toEqual(
      [colourOf(name), colourOf(second)].sort(),
    )
    await page.click('.legend-all')
    expect((await mapColours(page)).get(palette[3]!)).toBeGreaterThan(5)
  })

  it('narrows a number to a range and counts the cells in it', async () => {
    const page = await open('usual')
    await choose(page, 'uncert')
    await page.focus('.scale-handles input')
    for (let i = 0; i < 3; i++) await page.keyboard.press('PageUp')
    const values =
      content.colourings[1]!.kind === 'number' ? content.colourings[1]!.values : new Float32Array()
    const [low, high] = [Math.min(...values), Math.max(...values)]
    const limit = low + 0.3 * (high - low)
    const inside = values.filter((value) => value >= limit - 1e-5).length
    expect(await text(page, '.scale-told')).toContain(`${inside} of 2,000 drawn cells`)
    expect((await mapColours(page)).get('#e6e8ec')).toBeGreaterThan(500)
  })

  it('tells what is known of the cell under the mouse', async () => {
    const page = await open('usual')
    await page.evaluate(`document.getElementById('map').scrollIntoView()`)
    await page.click('.legend-list li:nth-child(1) button')
    const name = await text(page, '.legend-list li:nth-child(1) .legend-name')
    const colour = palette[content.labelTable.findIndex(({ label }) => label === name)]!
    const { x, y } = await middleOf(page, colour)
    const box = (await (await page.$('#map-canvas'))!.boundingBox())!
    await page.mouse.move(box.x + x, box.y + y)
    const tip = String(await text(page, '#map-tip'))
    expect(tip).toContain(name)
    expect(tip).toContain('uncertainty')
    await page.mouse.move(5, 5)
    expect(await page.$eval('#map-tip', (tipElement) => tipElement.hasAttribute('hidden'))).toBe(true)
  })

  it('sorts the labels by any column, missing ones last, and shows a label of the table on the map', async () => {
    const page = await open('usual')
    const column = (place: number): Promise<string[]> =>
      page.$$eval(`table.labels tbody tr > :nth-child(${place})`, (cells) =>
        cells.map((cell) => cell.getAttribute('data-key') ?? ''),
      )
    const sort = (place: number): Promise<void> =>
      page.click(`table.labels thead th:nth-child(${place}) button`)
    await sort(2)
    const falling = (await column(2)).map(Number)
    expect(falling).toEqual(falling.toSorted((a, b) => b - a))
    await sort(2)
    expect((await column(2)).map(Number)).toEqual(falling.toReversed())
    await sort(4)
    const ids = await column(4)
    expect(ids.slice(-2)).toEqual(['', ''])
    expect(ids.slice(0, -2)).toEqual(ids.slice(0, -2).toSorted())
    expect(await page.$eval('table.labels thead th:nth-child(4)', (th) => th.getAttribute('aria-sort'))).toBe(
      'ascending',
    )
    const label = (await column(1))[0]!
    await page.click('table.labels tbody tr:first-child .show-label')
    expect(await text(page, '#map-status')).toBe(`Shown alone: ${label}`)
  })

  it('is dark where the reader wants it dark, with words that can be read in both', async () => {
    for (const dark of [false, true]) {
      if (dark) await opened.page.close()
      const page = await open('usual', { dark })
      const colours = await mapColours(page)
      expect(colours.get(dark ? '#14171b' : '#ffffff')).toBeGreaterThan(10_000)
      const ratios = (await page.evaluate(contrasts)) as [string, number][]
      expect(ratios.length).toBeGreaterThan(100)
      expect(ratios.filter(([, ratio]) => ratio < 4.5)).toEqual([])
    }
  })

  it.each(['usual', 'hostile'])(
    'fits a phone: nothing of the %s report sticks out to the side',
    async (name) => {
      const page = await open(name, { width: 360 })
      expect(await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')).toBe(0)
      expect(await page.$eval('table.labels', (table) => table.clientWidth)).toBeLessThan(360)
      expect((await mapColours(page)).size).toBeGreaterThan(10)
    },
  )

  it('fits a figure to a phone, and in full size lets it scroll in its frame, on white also in the dark', async () => {
    const page = await open('figures', { width: 360, dark: true })
    const widths = (): Promise<number[]> =>
      page.$eval('.picture-frame', (frame) => [frame.clientWidth, frame.scrollWidth])
    const [frame, content] = await widths()
    expect(frame).toBeLessThan(360)
    expect(content).toBe(frame)
    await page.click('.picture input')
    expect(await widths()).toEqual([frame, 640])
    expect(await page.evaluate('document.documentElement.scrollWidth - window.innerWidth')).toBe(0)
    const ground = `getComputedStyle(document.querySelector('.picture-frame')).backgroundColor`
    expect(await page.evaluate(ground)).toBe('rgb(255, 255, 255)')
    await page.close()
    const wide = await open('figures', { width: 1200 })
    expect(await wide.$eval('.picture img', (image) => image.clientWidth)).toBe(640)
  })

  it('prints in light colours even from a dark screen, with everything unfolded', async () => {
    const page = await open('usual', { dark: true })
    await page.evaluate('window.dispatchEvent(new Event("beforeprint"))')
    const colours = await mapColours(page)
    expect(colours.get('#ffffff')).toBeGreaterThan(10_000)
    const folded = 'document.querySelectorAll("details:not([open])").length'
    expect(await page.evaluate(folded)).toBe(0)
    await page.evaluate('window.dispatchEvent(new Event("afterprint"))')
    expect(await page.evaluate(folded)).toBeGreaterThan(1)
    expect((await mapColours(page)).get('#14171b')).toBeGreaterThan(10_000)
  })

  it('turns the scale of numbers round with the page, on the map and in the legend', async () => {
    const page = await open('usual', { dark: true })
    await choose(page, 'uncert')
    const low = `Array.from(document.querySelector('.scale-bar').getContext('2d').getImageData(0, 0, 1, 1).data.slice(0, 3))`
    expect(await page.evaluate(low)).toEqual([0x46, 0x32, 0x7e])
    await page.evaluate('window.dispatchEvent(new Event("beforeprint"))')
    expect(await page.evaluate(low)).toEqual([0xd0, 0xe1, 0x1c])
    await page.evaluate('window.dispatchEvent(new Event("afterprint"))')
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'light' }])
    expect((await mapColours(page)).get('#ffffff')).toBeGreaterThan(10_000)
    expect(await page.evaluate(low)).toEqual([0xd0, 0xe1, 0x1c])
  })

  it('shows hostile labels as the text they are: nothing runs, nothing loads, nothing breaks', async () => {
    const page = await open('hostile')
    expect(await page.evaluate('window.harm')).toBeUndefined()
    expect(await page.$$eval('img', (images) => images.length)).toBe(1)
    const names = await page.$$eval('.legend-name', (each) => each.map((name) => name.textContent))
    expect(names).toHaveLength(500)
    expect(names).toContain(hostileTexts[0])
    expect(names).toContain(hostileTexts[1])
    await page.click('.legend-list li:nth-child(1) button')
    await choose(page, 'img')
    await drawn(page)
    expect(await text(page, '#map-legend')).toContain('onerror')
    const box = (await (await page.$('#map-canvas'))!.boundingBox())!
    for (let i = 0; i < 10; i++) await page.mouse.move(box.x + 40 * i, box.y + 30 * i)
    expect(await page.evaluate('window.harm')).toBeUndefined()
    expect(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth')).toBe(true)
  })

  it('stands with one cell, and with none', async () => {
    const page = await open('one')
    expect((await mapColours(page)).size).toBeGreaterThan(1)
    await page.close()
    expect((await mapColours(await open('none'))).size).toBe(1)
  })
})

/** Runs in the page: contrast of every visible text with the background it stands on (WCAG 2). */
const contrasts = `(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number)
  const luminance = (colour) => numbers(colour).slice(0, 3)
    .map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0)
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor
      if (colour !== 'transparent' && numbers(colour)[3] !== 0) return colour
    }
    return 'rgb(255, 255, 255)'
  }
  return [...document.querySelectorAll('body *')]
    .filter((each) => each.checkVisibility() && [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
    .map((each) => {
      const [dark, light] = [luminance(getComputedStyle(each).color), luminance(behind(each))].sort((a, b) => a - b)
      return [each.className + ' ' + each.textContent.slice(0, 30), (light + 0.05) / (dark + 0.05)]
    })
})()`
