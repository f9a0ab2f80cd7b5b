/**
 * What an untrusted HDF5 file may ask of us. Generous for real single-cell files, small enough that a crafted one
 * costs seconds and megabytes: every number is a refusal with a code, never a crash.
 */
export interface Hdf5Limits {
  /** milliseconds one question to the worker may take; a stuck worker is ended */
  deadline: number
  /** groups and datasets met in one file */
  objects: number
  /** names in a path */
  depth: number
  /** attributes of one object */
  attributes: number
  /** decoded bytes of one chunk: it has to be whole in memory */
  chunkBytes: number
  /** decoded bytes answered to one read */
  readBytes: number
  /** characters of text answered to one read */
  textCharacters: number
  /** a dataset above `declaredFloor` bytes may declare at most this many times the bytes of the file */
  declaredRatio: number
  declaredFloor: number
}

export const hdf5Limits: Hdf5Limits = {
  deadline: 120_000,
  objects: 100_000,
  depth: 32,
  attributes: 4096,
  chunkBytes: 256 * 2 ** 20,
  readBytes: 512 * 2 ** 20,
  textCharacters: 2 ** 29,
  declaredRatio: 1000,
  declaredFloor: 64 * 2 ** 20,
}
