/**
 * The data files of this folder, made by scripts/knowledge: JSON packed with brotli, read when first asked for and kept.
 * A bundle finds them in `data/` beside itself, hence the URL relative to this module.
 */
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'

/** Where the contents of a data file come from. */
export interface About {
  sources: { file: string; what: string; release: string; origin: string; licence: string }[]
  counts: Record<string, number>
}

const unpack = promisify(brotliDecompress)

/** The fields beside `about` are text: one line an entry, unless the builder says otherwise. */
export async function readData<Field extends string>(
  name: string,
): Promise<{ about: About } & Record<Field, string>> {
  const packed = await readFile(new URL(`./data/${name}`, import.meta.url))
  return JSON.parse((await unpack(packed)).toString('utf8')) as { about: About } & Record<Field, string>
}

/** Remembers what `load` gave for a key, for as long as the process lives; a failure is not remembered. */
export function keepOnce<Key, Value>(load: (key: Key) => Promise<Value>): (key: Key) => Promise<Value> {
  const kept = new Map<Key, Promise<Value>>()
  return (key) => {
    const known = kept.get(key)
    if (known !== undefined) return known
    const loading = load(key)
    kept.set(key, loading)
    loading.catch(() => kept.delete(key))
    return loading
  }
}

/** Rising whole numbers from their differences in base 36. */
export function unpackRising(text: string): number[] {
  let sum = 0
  return text.split(' ').map((difference) => {
    sum += Number.parseInt(difference, 36)
    return sum
  })
}
