/**
 * Where the cells lie that a model is sure of, and which types they are: a map coloured by confidence beside one row of points for
 * each type. SpatialCore's `plot_celltype_confidence`, with its colours (RdYlGn from the 5th to the 95th percentile).
 *
 * The trap: a confidence that is missing passes no threshold, but is no low one either: it has no point, and its number is told.
 */
import { scaleTable } from './colour-scales.ts'
import { drawJitter, drawnAtMost, type JitterRow, jitterRows, jitterWidth } from './confidence-jitter.ts'
import { barRoom, drawConfidenceMap, drawHeading, messageHeight } from './confidence-map.ts'
import { shownText } from './html.ts'
import { wholeNumber } from './numbers.ts'
import { drawTitle, encodePicture, openPicture, renderMessage, rim, titleHeight } from './picture.ts'

const mapWidth = 388
const leastHeight = 380

export interface ConfidencePicture {
  title?: string
  /** cells x 2, row after row; null where the data have no positions. Cells whose position is not finite are left out and counted */
  xy: Float32Array | null
  /** one a cell; what is not finite is missing: grey on the map, and below any threshold */
  confidence: Float32Array
  /** one a cell: its type, -1 where it has none (such a cell is on the map only) */
  codes: Int32Array
  types: readonly string[]
  /** cells at or above it pass */
  threshold: number
  /** rows of the right half */
  maxTypes?: number
  /** decides which cell lies on top, and the jitter */
  seed?: number
  /** what the positions are: 'spatial' has y downwards, as images have it */
  positionName?: 'spatial' | 'UMAP'
  /** why there are no positions, where there are none */
  absent?: string
  pixelRatio?: number
}

/**
 * @returns the PNG; both halves as high as the types need
 * @throws RangeError when there is not one confidence, code and position for each cell, or a code has no type
 */
export async function renderConfidence(options: ConfidencePicture): Promise<Uint8Array> {
  const { confidence, threshold, maxTypes = 20, seed = 0, pixelRatio = 2 } = options
  checkLengths(options)
  const title = shownText(options.title ?? 'Confidence by place and cell type')
  if (confidence.length === 0) return renderMessage(title, { message: 'There are no cells.', pixelRatio })
  const rows = jitterRows(options)
  const shown = rows.slice(0, Math.max(1, maxTypes))
  const top = titleHeight(0) + 40
  const height = Math.max(options.xy === null ? messageHeight : leastHeight, 25 * shown.length)
  const left = rim + mapWidth + barRoom
  const picture = openPicture({ width: left + jitterWidth + rim, height: top + height + 62, pixelRatio })
  drawTitle(picture, { title })
  drawConfidenceMap(picture, { left: rim, top, width: mapWidth, height }, options)
  drawHeading(picture, { left, top, width: jitterWidth }, [
    'Confidence by cell type, the surest above',
    leftOut(rows, shown),
  ])
  drawJitter(picture, { left, top, height }, { rows: shown, confidence, threshold, seed })
  return encodePicture(picture, scaleTable('RdYlGn'))
}

function checkLengths({ xy, confidence, codes, types }: ConfidencePicture): void {
  const cells = confidence.length
  if (codes.length !== cells || (xy !== null && xy.length !== 2 * cells))
    throw new RangeError(`${cells} confidences, ${codes.length} codes and ${xy?.length ?? 0} coordinates`)
  if (codes.some((code) => code < -1 || code >= types.length))
    throw new RangeError(`a code lies outside of the ${types.length} types`)
}

/** What the rows do not show: types, cells of large types, cells without a confidence. */
function leftOut(rows: readonly JitterRow[], shown: readonly JitterRow[]): string {
  const rest = rows.length - shown.length
  const isThinned = shown.some(({ known, drawn }) => drawn.length < known)
  const unknown = shown.reduce((sum, { cells, known }) => sum + cells.length - known, 0)
  return [
    ...(rest > 0
      ? [`${shown.length} of ${wholeNumber(rows.length)} types, ${rest} of lower median left out`]
      : []),
    ...(isThinned ? [`at most ${wholeNumber(drawnAtMost)} cells of each`] : []),
    ...(unknown > 0 ? [`${wholeNumber(unknown)} without value`] : []),
  ].join('; ')
}
