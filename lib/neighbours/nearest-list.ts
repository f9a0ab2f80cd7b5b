/**
 * The nearest of what was proposed, measured in float64. A search (exact or approximate) only proposes rows; here they are
 * measured, ordered by distance and then by number, and a point's own row is set first where the points search themselves.
 */
import { distanceOf, type Metric, type Neighbours, type ScaledPoints, squaredDistance } from './points.ts'

export interface Search {
  references: ScaledPoints
  queries: ScaledPoints
  /** the queries are the references: each finds itself first */
  isSelf: boolean
  metric: Metric
  k: number
}

export interface NearestList {
  /** begins the list of a query */
  start(query: number): void
  /** each row at most once a query */
  propose(reference: number): void
  /** squared distance of the last place; infinite while places are free, negative where there are none */
  worst(): number
  /** measures every reference there is; after `start`, instead of proposals */
  proposeAll(): void
  /** writes the list into the result */
  finish(): void
}

export function emptyNeighbours({ queries, k }: Search): Neighbours {
  const places = queries.rows * k
  return { rows: queries.rows, k, indices: new Int32Array(places), distances: new Float32Array(places) }
}

export function nearestList(search: Search, result: Neighbours): NearestList {
  const { references, queries, isSelf, metric, k } = search
  const places = isSelf ? k - 1 : k
  const rows = new Int32Array(places)
  const squares = new Float64Array(places)
  const from = { table: queries, row: 0 }
  const to = { table: references, row: 0 }
  let filled = 0

  const worst = (): number => (filled < places ? Number.POSITIVE_INFINITY : (squares[places - 1] ?? -1))
  const propose = (reference: number): void => {
    if (isSelf && reference === from.row) return
    to.row = reference
    const squared = squaredDistance(from, to, worst())
    if (filled === places) {
      const last = places - 1
      if (last < 0 || squared > squares[last]! || (squared === squares[last]! && reference > rows[last]!))
        return
    } else filled++
    let place = filled - 1
    for (; place > 0; place--) {
      const before = squares[place - 1]!
      if (before < squared || (before === squared && rows[place - 1]! < reference)) break
      squares[place] = before
      rows[place] = rows[place - 1]!
    }
    squares[place] = squared
    rows[place] = reference
  }
  return {
    start(query) {
      from.row = query
      filled = 0
    },
    propose,
    worst,
    proposeAll() {
      for (let reference = 0; reference < references.rows; reference++) propose(reference)
    },
    finish() {
      let at = from.row * k
      if (isSelf) result.indices[at++] = from.row
      for (let place = 0; place < places; place++, at++) {
        result.indices[at] = rows[place]!
        result.distances[at] = distanceOf(squares[place]!, metric)
      }
    },
  }
}
