/**
 * Writes a data file of lib/knowledge: JSON, packed with brotli. The same sources give the same bytes (with the same Node), because
 * nothing of the day or the machine goes in; tests compare what is inside, since another zlib may pack it otherwise.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants } from 'node:zlib'

export const dataFolder = fileURLToPath(new URL('../../lib/knowledge/data/', import.meta.url))

export async function packInto(folder: string, files: Record<string, unknown>): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const [name, content] of Object.entries(files)) {
    const text = Buffer.from(JSON.stringify(content))
    const packed = brotliCompressSync(text, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_LGWIN]: 24,
        [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
        [constants.BROTLI_PARAM_SIZE_HINT]: text.length,
      },
    })
    await writeFile(join(folder, name), packed)
    console.log(`${name}: ${text.length} bytes, ${packed.length} packed`)
  }
}

/** Rising whole numbers as their differences, in base 36. */
export function packRising(numbers: readonly number[]): string {
  return numbers.map((value, i) => (value - (numbers[i - 1] ?? 0)).toString(36)).join(' ')
}

/** The folder named on the command line. */
export function folderArgument(): string {
  const folder = process.argv[2]
  if (folder === undefined) throw new Error('name the folder that holds the source files')
  return folder
}
