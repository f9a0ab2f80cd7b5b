/**
 * A zarr store in a zip, read in place (zip.ts). Writers that change an object append it again under the same name: the last entry
 * counts. A zip of the store's folder, rather than of what is in it, is read too.
 */
import type { ByteSource } from './source.ts'
import { tooLarge, type ZarrLimits } from './zarr-limits.ts'
import { type KeyStore, nodesAmong, tooMany } from './zarr-store.ts'
import { dataOffset, readZipDirectory, readZipEntry, type ZipEntry, zipDamaged } from './zip.ts'

/** @throws BadInput ZIP_DAMAGED, ZARR_TOO_LARGE, KEY_UNSUPPORTED for names such as `../x` */
export async function openZipKeys(source: ByteSource, limits: ZarrLimits): Promise<KeyStore> {
  const { place } = source
  const { entries: all } = await readZipDirectory(source, {
    mostEntries: limits.objects,
    tooMany: () => tooMany(place, limits),
    tooLarge: (problem) => tooLarge(place, problem),
  })
  const prefix = rootPrefix(all)
  const entries = new Map<string, ZipEntry>()
  for (const [name, entry] of all) if (name.startsWith(prefix)) entries.set(name.slice(prefix.length), entry)
  let unpacked: { key: string; bytes: Uint8Array } | undefined
  return {
    place,
    size: async (key) => entries.get(key)?.size,
    async read(key, { offset, length }) {
      const entry = entries.get(key)
      if (entry === undefined || offset + length > entry.size)
        throw zipDamaged(`${place}:${key}`, 'an entry is too short')
      if (entry.method === 0 && length < entry.size) {
        return source.read((await dataOffset(source, { key, entry })) + offset, length)
      }
      if (entry.size > limits.chunkBytes) throw tooLarge(`${place}:${key}`, `an entry of ${entry.size} bytes`)
      if (unpacked?.key !== key) unpacked = { key, bytes: await readZipEntry(source, { key, entry }) }
      return unpacked.bytes.subarray(offset, offset + length)
    },
    nodes: nodesAmong(entries.keys(), place),
    close: () => source.close(),
  }
}

/** The one folder that holds the store's root, where the root of the zip does not. */
function rootPrefix(entries: ReadonlyMap<string, ZipEntry>): string {
  const isRoot = (prefix: string) =>
    ['zarr.json', '.zgroup', '.zarray'].some((name) => entries.has(prefix + name))
  if (isRoot('')) return ''
  const tops = new Set<string>()
  for (const name of entries.keys()) tops.add(`${name.slice(0, name.indexOf('/'))}/`)
  const roots = [...tops].filter(isRoot)
  return roots.length === 1 ? (roots[0] ?? '') : ''
}
