/**
 * The picture of the cells: camera, drawing, and moving by pointer, wheel, fingers and keys. It draws when something changed, once
 * a frame. The wheel zooms only when the map has the focus (or with Ctrl), since a report is a page to scroll.
 */
import { indexCells } from './cells.js'
import { packedColour, paintPoints } from './points.js'

const margin = 0.94
const zoomLimits = [0.5, 400]

/**
 * @param canvas the element to draw into; it takes the focus
 * @param cells what `unpackCells` gave
 * @param on {point(cell, {left, top}), leave(), wheelWithoutFocus()}
 */
export function createMapView(canvas, cells, on) {
  const context = canvas.getContext('2d')
  const camera = { x: 0.5, y: 0.5, zoom: 1 }
  const look = { codes: new Uint8Array(0), palettes: null, background: '#ffffff', size: 1 }
  const nearestCell = indexCells(cells)
  let waiting = false

  /** Pixels of the screen (not of the canvas) that the whole span of positions takes, before zooming. */
  function extent() {
    const width = canvas.clientWidth || 1
    const height = canvas.clientHeight || 1
    const side = margin * Math.min(width / cells.aspect, height)
    return { width, height, spanX: side * cells.aspect, spanY: side }
  }

  function draw() {
    waiting = false
    const { width, height, spanX, spanY } = extent()
    const ratio = window.devicePixelRatio || 1
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)]
    if (canvas.width !== across) canvas.width = across
    if (canvas.height !== down) canvas.height = down
    if (look.palettes === null || across < 1 || down < 1) return
    const image = context.createImageData(across, down)
    const target = { pixels: new Uint32Array(image.data.buffer), width: across, height: down }
    target.pixels.fill(packedColour(look.background))
    const scaleX = (spanX * camera.zoom * ratio) / 65535
    const scaleY = (spanY * camera.zoom * ratio) / 65535
    const points = {
      x: cells.x,
      y: cells.y,
      codes: look.codes,
      scaleX,
      scaleY: -scaleY,
      offsetX: across / 2 - camera.x * 65535 * scaleX,
      offsetY: down / 2 + camera.y * 65535 * scaleY,
      radius: radius() * ratio,
    }
    paintPoints(target, points, look.palettes.back)
    paintPoints(target, points, look.palettes.shown)
    context.putImageData(image, 0, 0)
  }

  /** Small where cells are many; grows slowly on the way in. */
  function radius() {
    const all = Math.min(4, Math.max(0.8, 30 / cells.drawn ** 0.32)) * look.size
    return Math.min(14, Math.max(0.5, all * camera.zoom ** 0.35))
  }

  function redraw() {
    if (waiting) return
    waiting = true
    requestAnimationFrame(draw)
  }

  function moveBy(right, down) {
    const { spanX, spanY } = extent()
    camera.x = clamp(camera.x - right / (spanX * camera.zoom), [0, 1])
    camera.y = clamp(camera.y + down / (spanY * camera.zoom), [0, 1])
    on.leave()
    redraw()
  }

  /** @param at {left, top}: the place of the canvas that stays where it is; the middle without it */
  function zoomBy(factor, at) {
    const { width, height, spanX, spanY } = extent()
    const before = camera.zoom
    camera.zoom = clamp(before * factor, zoomLimits)
    const change = 1 / before - 1 / camera.zoom
    const { left, top } = at ?? { left: width / 2, top: height / 2 }
    camera.x = clamp(camera.x + ((left - width / 2) / spanX) * change, [0, 1])
    camera.y = clamp(camera.y - ((top - height / 2) / spanY) * change, [0, 1])
    on.leave()
    redraw()
  }

  function reset() {
    Object.assign(camera, { x: 0.5, y: 0.5, zoom: 1 })
    on.leave()
    redraw()
  }

  function pointAt({ left, top }) {
    if (look.palettes === null) return
    const { width, height, spanX, spanY } = extent()
    const perPixelX = 65535 / (spanX * camera.zoom)
    const perPixelY = 65535 / (spanY * camera.zoom)
    const at = {
      x: camera.x * 65535 + (left - width / 2) * perPixelX,
      y: camera.y * 65535 - (top - height / 2) * perPixelY,
    }
    const reach = Math.max(6, radius() + 3)
    const isShown = (cell) => look.palettes.shown[look.codes[cell]] !== 0
    const cell = nearestCell(at, { reachX: reach * perPixelX, reachY: reach * perPixelY, isShown })
    if (cell < 0) on.leave()
    else on.point(cell, { left, top })
  }

  listen(canvas, { moveBy, zoomBy, reset, pointAt, on })
  new ResizeObserver(redraw).observe(canvas)
  return {
    zoomBy,
    reset,
    /** @param change any of codes, palettes, background, size */
    show(change) {
      Object.assign(look, change)
      redraw()
    },
    drawNow: draw,
  }
}

function clamp(value, [low, high]) {
  return Math.min(high, Math.max(low, value))
}

function listen(canvas, { moveBy, zoomBy, reset, pointAt, on }) {
  const down = new Map()
  const place = (event) => {
    const box = canvas.getBoundingClientRect()
    return { left: event.clientX - box.left, top: event.clientY - box.top }
  }
  const spread = ([a, b]) => Math.hypot(a.left - b.left, a.top - b.top)
  const middle = (places) => ({
    left: places.reduce((sum, { left }) => sum + left, 0) / places.length,
    top: places.reduce((sum, { top }) => sum + top, 0) / places.length,
  })

  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId)
    down.set(event.pointerId, place(event))
    if (event.pointerType !== 'mouse') pointAt(place(event))
  })
  canvas.addEventListener('pointermove', (event) => {
    if (!down.has(event.pointerId)) return pointAt(place(event))
    const before = [...down.values()]
    down.set(event.pointerId, place(event))
    const after = [...down.values()]
    const [from, to] = [middle(before), middle(after)]
    if (from.left !== to.left || from.top !== to.top) moveBy(to.left - from.left, to.top - from.top)
    if (after.length === 2 && spread(before) > 0) zoomBy(spread(after) / spread(before), to)
  })
  for (const end of ['pointerup', 'pointercancel'])
    canvas.addEventListener(end, (event) => down.delete(event.pointerId))
  canvas.addEventListener('pointerleave', () => on.leave())
  canvas.addEventListener(
    'wheel',
    (event) => {
      if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return on.wheelWithoutFocus()
      event.preventDefault()
      const lines = event.deltaMode === 1 ? 16 : 1
      zoomBy(Math.exp(-clamp(event.deltaY * lines, [-300, 300]) / 400), place(event))
    },
    { passive: false },
  )
  canvas.addEventListener('dblclick', (event) => zoomBy(2, place(event)))
  canvas.addEventListener('keydown', (event) => {
    const step = event.shiftKey ? 160 : 40
    const actions = {
      ArrowLeft: () => moveBy(step, 0),
      ArrowRight: () => moveBy(-step, 0),
      ArrowUp: () => moveBy(0, step),
      ArrowDown: () => moveBy(0, -step),
      '+': () => zoomBy(1.4),
      '=': () => zoomBy(1.4),
      '-': () => zoomBy(1 / 1.4),
      0: reset,
      Escape: () => canvas.blur(),
    }
    const action = actions[event.key]
    if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    action()
  })
}
