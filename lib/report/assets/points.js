/**
 * Draws cells as round points into an array of pixels; the page and the PNG use it alike. One stamp for each sixteenth of a pixel,
 * so that points move smoothly; whole pixels of a stamp are stored at once and only its rim is mixed. 100,000 points of
 * radius 1 take a few milliseconds, without a graphics card.
 */

const steps = 4

/**
 * @param target {pixels: Uint32Array (bytes R, G, B, A), width, height}, filled with an opaque background
 * @param points {x, y, codes, scaleX, scaleY, offsetX, offsetY, radius}: a point's pixel is x * scaleX + offsetX
 * @param palette colour by code as 0xAABBGGRR; 0 leaves the point out
 */
export function paintPoints(target, points, palette) {
  const { width, height } = target
  const { x, y, codes, scaleX, scaleY, offsetX, offsetY, radius } = points
  const reach = Math.ceil(radius) + 1
  const stamps = makeStamps(radius, reach, width)
  for (let i = 0; i < codes.length; i++) {
    const colour = palette[codes[i]]
    if (colour === 0) continue
    const left = x[i] * scaleX + offsetX
    const top = y[i] * scaleY + offsetY
    const column = Math.floor(left)
    const row = Math.floor(top)
    if (column < -reach || row < -reach || column >= width + reach || row >= height + reach) continue
    const stamp = stamps[steps * Math.floor((top - row) * steps) + Math.floor((left - column) * steps)]
    const inside = column >= reach && row >= reach && column < width - reach && row < height - reach
    if (inside) press(target.pixels, row * width + column, stamp, colour)
    else pressClipped(target, column, row, { stamp, colour })
  }
}

/** @param hex '#rrggbb' */
export function packedColour(hex) {
  const value = Number.parseInt(hex.slice(1), 16)
  return (0xff000000 | ((value & 0xff) << 16) | (value & 0xff00) | (value >> 16)) >>> 0
}

function press(pixels, centre, { solid, rim, cover }, colour) {
  for (let k = 0; k < solid.length; k++) pixels[centre + solid[k]] = colour
  for (let k = 0; k < rim.length; k++) {
    const at = centre + rim[k]
    pixels[at] = mix(pixels[at], colour, cover[k])
  }
}

function pressClipped({ pixels, width, height }, column, row, { stamp, colour }) {
  for (const [right, down, cover] of stamp.all) {
    const [c, r] = [column + right, row + down]
    if (c < 0 || r < 0 || c >= width || r >= height) continue
    pixels[r * width + c] = mix(pixels[r * width + c], colour, cover)
  }
}

/** @param cover how much of `above` shows, 0 to 256 */
function mix(below, above, cover) {
  const rest = 256 - cover
  const redBlue = (Math.imul(below & 0xff00ff, rest) + Math.imul(above & 0xff00ff, cover)) >>> 8
  const green = (Math.imul((below >>> 8) & 0xff, rest) + Math.imul((above >>> 8) & 0xff, cover)) >>> 8
  return (0xff000000 | (redBlue & 0xff00ff) | (green << 8)) >>> 0
}

function makeStamps(radius, reach, width) {
  const stamps = []
  for (let step = 0; step < steps * steps; step++) {
    const centreX = ((step % steps) + 0.5) / steps
    const centreY = (Math.floor(step / steps) + 0.5) / steps
    const all = []
    for (let down = -reach; down <= reach; down++)
      for (let right = -reach; right <= reach; right++) {
        const distance = Math.hypot(right + 0.5 - centreX, down + 0.5 - centreY)
        const cover = Math.round(256 * Math.min(1, Math.max(0, radius + 0.5 - distance)))
        if (cover > 0) all.push([right, down, cover])
      }
    const rim = all.filter(([, , cover]) => cover < 256)
    const offset = ([right, down]) => down * width + right
    stamps.push({
      all,
      solid: Int32Array.from(
        all.filter(([, , cover]) => cover === 256),
        offset,
      ),
      rim: Int32Array.from(rim, offset),
      cover: Int32Array.from(rim, ([, , cover]) => cover),
    })
  }
  return stamps
}
