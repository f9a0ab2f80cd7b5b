/**
 * What an untrusted zarr store may ask of us, and how a refusal reads. Generous for real single-cell data; a crafted store
 * costs seconds and megabytes.
 */
import { BadInput } from '../job/errors.ts'

export interface ZarrLimits {
  /** keys of a zip or below a prefix */
  objects: number
  /** names in a path */
  depth: number
  /** attributes of one object */
  attributes: number
  /** bytes of one JSON document */
  documentBytes: number
  /** decoded bytes of one chunk, and of the index of one shard: they have to be whole in memory */
  chunkBytes: number
  /** decoded bytes answered to one read */
  readBytes: number
  /** chunks touched by one read */
  readChunks: number
  /** decoded chunks kept for the next read */
  cacheBytes: number
}

export const zarrLimits: ZarrLimits = {
  objects: 400_000,
  depth: 32,
  attributes: 4096,
  documentBytes: 32 * 2 ** 20,
  chunkBytes: 512 * 2 ** 20,
  readBytes: 512 * 2 ** 20,
  readChunks: 1_000_000,
  cacheBytes: 128 * 2 ** 20,
}

export function damaged(place: string, problem: string, cause?: unknown): BadInput {
  return new BadInput(
    'ZARR_DAMAGED',
    place,
    problem,
    'Copy the store again, or write it again from the program that made it',
    {
      cause,
    },
  )
}

export function metadataError(place: string, problem: string, cause?: unknown): BadInput {
  return new BadInput(
    'ZARR_METADATA',
    place,
    problem,
    'Write the store again from the program that made it',
    { cause },
  )
}

export function unsupported(place: string, problem: string): BadInput {
  return new BadInput(
    'ZARR_UNSUPPORTED',
    place,
    problem,
    'Convert it in Python: `anndata.read_zarr(path).write_h5ad("cells.h5ad")`',
  )
}

export function tooLarge(place: string, problem: string): BadInput {
  return new BadInput(
    'ZARR_TOO_LARGE',
    place,
    problem,
    'Write the store again in smaller chunks, or give a smaller file',
  )
}
