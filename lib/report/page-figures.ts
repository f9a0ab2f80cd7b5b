/** The small drawings of the page: bars in tables, histograms, figures. SVG by attributes only, since the page allows no inline styles. */
import type { Figure, Histogram } from './content.ts'
import { datum, Html, html } from './html.ts'
import { measurement, wholeNumber } from './numbers.ts'
import { shownSize } from './png-encode.ts'

/** @param share 0 to 1; what is no number gives no bar */
export function bar(share: number, className = 'bar'): Html {
  if (!Number.isFinite(share)) return new Html('')
  const width = (100 * Math.min(1, Math.max(0, share))).toFixed(1)
  return html`<svg class="${className}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="bar-rest" width="100" height="6"/><rect class="bar-part" width="${width}" height="6"/></svg>`
}

const groupsAtOnce = 24

export function histogramFigure({ title, caption, from, to, counts, groups = [] }: Histogram): Html {
  const small = groups.map(
    (group) => html`<li>${bars(group, { from, to, size: 'small' })}<span>${datum(group.name, 80)}</span>
<span class="count">${wholeNumber(total(group.counts))}</span></li>`,
  )
  const rest = small.slice(groupsAtOnce)
  return html`<figure class="histogram"><h3>${datum(title)}</h3>
${bars({ name: title, counts }, { from, to, size: 'large' })}
<div class="histogram-ends"><span>${measurement(from)}</span><span>${wholeNumber(total(counts))} cells, highest bar ${wholeNumber(Math.max(0, ...counts))}</span><span>${measurement(to)}</span></div>
${caption !== undefined && html`<figcaption>${datum(caption, 2000)}</figcaption>`}
${small.length > 0 && html`<p class="faint histogram-note">By group, each to its own height, with the number of cells:</p><ul class="histogram-groups">${small.slice(0, groupsAtOnce)}</ul>`}
${rest.length > 0 && html`<details><summary>${rest.length} more</summary><ul class="histogram-groups">${rest}</ul></details>`}
</figure>`
}

function bars(
  { name, counts }: { name: string; counts: readonly number[] },
  { from, to, size }: { from: number; to: number; size: 'small' | 'large' },
): Html {
  const highest = Math.max(1, ...counts)
  const [height, width] = [size === 'large' ? 40 : 20, 100 / Math.max(1, counts.length)]
  const edge = (bin: number): string => measurement(from + ((to - from) * bin) / counts.length)
  const columns = counts.map((count, bin) => {
    // what is not nothing shows
    const tall = count === 0 ? 0 : Math.max(0.6, (height * count) / highest)
    const place = {
      x: (bin * width).toFixed(2),
      y: (height - tall).toFixed(2),
      width: (0.88 * width).toFixed(2),
    }
    return html`<rect class="histogram-bar" x="${place.x}" y="${place.y}" width="${place.width}" height="${tall.toFixed(2)}"><title>${edge(bin)} to ${edge(bin + 1)}: ${wholeNumber(count)} cells</title></rect>`
  })
  return html`<svg class="histogram-${size}" viewBox="0 0 100 ${height}" preserveAspectRatio="none" role="img"><title>${datumText(name)}: ${wholeNumber(total(counts))} cells from ${measurement(from)} to ${measurement(to)}</title>${columns}</svg>`
}

/** SVG titles and attributes hold text only, no elements. */
function datumText(text: string, limit?: number): Html {
  return new Html(datum(text, limit).text.replace(/<\/?bdi>/g, ''))
}

function total(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * As wide as the page at most; tall ones scroll in a frame. Full size, by the check box, is one pixel of CSS for each point of the
 * picture, so that letters can be read on a phone; it needs no script.
 */
export function figure({ title, caption, alt = title, png }: Figure): Html {
  const source = `data:image/png;base64,${Buffer.from(png.buffer, png.byteOffset, png.byteLength).toString('base64')}`
  const size = shownSize(png)
  const extent = size && html` width="${size.width}" height="${size.height}"`
  return html`<figure class="picture"><h3>${datum(title)}</h3>
<label class="full-size on-screen"><input type="checkbox"> Full size</label>
<div class="picture-frame" tabindex="0" role="region" aria-label="${datumText(title)}"><img src="${source}" alt="${datumText(alt, 2000)}"${extent}></div>
<figcaption>${datum(caption, 2000)}</figcaption></figure>`
}
