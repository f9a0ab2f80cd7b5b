/**
 * One stored chunk of a dataset and the range of rows that asks for chunks: what all kinds of index answer with.
 */
/** Row ranges with more chunks than this are asked for in parts. */
export const MOST_CHUNKS = 1 << 24

export interface StoredChunk {
  /** of its first element, one for each axis */
  offset: number[]
  address: number
  storedBytes: number
  /** bit i: filter i of the pipeline was not applied */
  filterMask: number
}

export interface RowRange {
  from: number
  to: number
}
