/**
 * Where the chunks of a dataset lie: the index is walked only where it meets the wanted rows.
 * Trap: chunks that were never written are absent; their elements have the fill value.
 */
import type { ReadBytes } from './bytes.ts'
import { arrayChunks } from './chunk-arrays.ts'
import { treeChunks } from './chunk-tree.ts'
import type { ChunkedLayout } from './dataset.ts'
import type { RowRange, StoredChunk } from './stored-chunk.ts'

/** Chunks that meet rows [from, to) of the first axis, in row-major order. @throws BadInput HDF5_DAMAGED, HDF5_UNSUPPORTED */
export function chunksInRows(read: ReadBytes, layout: ChunkedLayout, rows: RowRange): StoredChunk[] {
  const { index } = layout
  if (index.address === undefined || rows.from >= rows.to) return []
  if (index.kind === 'tree') return treeChunks(read, { layout, rows, address: index.address })
  return arrayChunks(read, { layout, rows })
}
