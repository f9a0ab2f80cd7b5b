/** Chromium for tests of the page; they skip where it is not installed, and say so. */
import { existsSync } from 'node:fs'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'

const path = process.env.CHROMIUM ?? '/usr/bin/chromium'

export const hasBrowser = existsSync(path)

if (!hasBrowser)
  console.warn(`there is no ${path} (set CHROMIUM): tests of the page in a browser are skipped`)

export function launchBrowser(): Promise<Browser> {
  const flags =
    'headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update disable-sync'
  return puppeteer.launch({ executablePath: path, args: flags.split(' ').map((flag) => `--${flag}`) })
}

export interface Opened {
  page: Page
  /** what the console said, with errors of the page and of its policy */
  said: string[]
  /** addresses that were asked for, but for the page's own */
  requests: string[]
}

export async function openPage(
  browser: Browser,
  { address, dark = false, width = 1200 }: { address: string; dark?: boolean; width?: number },
): Promise<Opened> {
  const page = await browser.newPage()
  const [said, requests] = [[] as string[], [] as string[]]
  page.on('console', (message) => {
    // advice about reading pixels back, which only these tests do
    if (!message.text().startsWith('Canvas2D: Multiple readback')) said.push(message.text())
  })
  page.on('pageerror', (error) => said.push(String(error)))
  page.on('request', (request) => {
    const url = request.url()
    if (url !== address && !url.startsWith('data:')) requests.push(url)
  })
  await page.setViewport({ width, height: 900 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }])
  await page.goto(address)
  await drawn(page)
  return { page, said, requests }
}

/** Two frames on: what was asked for is drawn. */
export async function drawn(page: Page): Promise<void> {
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
}

/** How many pixels the map has of each colour ('#rrggbb'). */
export async function mapColours(page: Page): Promise<Map<string, number>> {
  await drawn(page)
  const counts = (await page.evaluate(`(() => {
    const canvas = document.getElementById('map-canvas')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    const counts = {}
    for (let at = 0; at < data.length; at += 4) {
      const packed = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2]
      counts[packed] = (counts[packed] ?? 0) + 1
    }
    return counts
  })()`)) as Record<string, number>
  return new Map(
    Object.entries(counts).map(([packed, count]) => [
      `#${Number(packed).toString(16).padStart(6, '0')}`,
      count,
    ]),
  )
}

/** The middle of the pixels of one colour, in pixels of the page; NaN where there is none. */
export async function middleOf(
  page: Page,
  colour: string,
): Promise<{ x: number; y: number; spread: number }> {
  await drawn(page)
  return (await page.evaluate(`(() => {
    const canvas = document.getElementById('map-canvas')
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
    const wanted = ${Number.parseInt(colour.slice(1), 16)}
    let [n, x, y, xx] = [0, 0, 0, 0]
    for (let at = 0; at < data.length; at += 4) {
      if (((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]) !== wanted) continue
      const left = (at / 4) % canvas.width
      n++
      x += left
      xx += left * left
      y += Math.floor(at / 4 / canvas.width)
    }
    return { x: x / n, y: y / n, spread: Math.sqrt(xx / n - (x / n) ** 2) }
  })()`)) as { x: number; y: number; spread: number }
}
