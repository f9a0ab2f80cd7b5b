/** Colour by code for what is chosen: one table for cells that are shown, one for cells that stand back. */
import { missingCode, numberOf } from './cells.js'
import { packedColour } from './points.js'

/** The colours that the style sheet has for the map now: of the screen, or of paper. */
export function currentTheme({ isDark, isPrinting }) {
  const styles = getComputedStyle(document.documentElement)
  const colour = (name) => styles.getPropertyValue(isPrinting ? `--print-${name}` : `--${name}`).trim()
  return {
    isDark: isDark && !isPrinting,
    muted: colour('cell-muted'),
    missing: colour('cell-missing'),
    missingAlone: colour('cell-missing-alone'),
    background: colour('map'),
  }
}

/**
 * @param theme {isDark, muted, missing, missingAlone}: '#rrggbb' of cells that stand back and of cells without a value
 * @param isShown whether a code is among what is to be seen; isAlone: whether the reader chose it by name
 * @returns {shown, back}: colour by code, 0 where the other table has it
 */
export function makePalettes(colouring, { theme, ramp, isShown, isAlone }) {
  const length = missingCode(colouring) + 1
  const shown = new Uint32Array(length)
  const back = new Uint32Array(length)
  const colourOf =
    colouring.kind === 'number' ? numberColours(colouring, theme, ramp) : categoryColours(colouring)
  const muted = packedColour(theme.muted)
  const used = colouring.kind === 'number' ? length - 1 : colouring.categories.length
  for (let code = 0; code < used; code++) {
    if (isShown(code)) shown[code] = colourOf(code)
    else back[code] = muted
  }
  // cells without a value never hide one that has a value, unless the reader asked for them
  if (isAlone(length - 1)) shown[length - 1] = packedColour(theme.missingAlone)
  else back[length - 1] = isShown(length - 1) ? packedColour(theme.missing) : muted
  return { shown, back }
}

function categoryColours({ categories }) {
  const colours = categories.map(({ colour }) => packedColour(colour))
  return (code) => colours[code]
}

function numberColours(colouring, theme, ramp) {
  const [from, to] = colouring.ends
  const colours = scaleColours(ramp, theme.isDark)
  return (code) => {
    const share = to > from ? (numberOf(colouring, code) - from) / (to - from) : 0.5
    return colours[Math.round(255 * Math.min(1, Math.max(0, share)))]
  }
}

/** 256 colours from low to high. High values stand out: the scale ends bright on a dark page and dark on a white one. */
export function scaleColours(ramp, isDark) {
  const stops = (isDark ? ramp : ramp.toReversed()).map((hex) => Number.parseInt(hex.slice(1), 16))
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1)
    const index = Math.min(stops.length - 2, Math.floor(place))
    const channel = (shift) => {
      const [a, b] = [(stops[index] >> shift) & 255, (stops[index + 1] >> shift) & 255]
      return Math.round(a + (b - a) * (place - index))
    }
    return (0xff000000 | (channel(0) << 16) | (channel(8) << 8) | channel(16)) >>> 0
  })
}
