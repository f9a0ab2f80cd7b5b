/**
 * The fonts of the PNGs: DejaVu Sans from its package, registered under a name of our own. A slim container has no fonts at all, and
 * text drawn without one is blank, without an error. (Scripts that DejaVu lacks, such as Chinese, are drawn as boxes.)
 */
import { createRequire } from 'node:module'
import { GlobalFonts } from '@napi-rs/canvas'

export const fontFamily = 'Celldrop Sans'
const files = ['dejavu-fonts-ttf/ttf/DejaVuSans.ttf', 'dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf']

/** Safe to call again. @throws Error when the font package is not installed */
export function registerFonts(): void {
  if (GlobalFonts.has(fontFamily)) return
  const require = createRequire(import.meta.url)
  for (const file of files)
    if (GlobalFonts.registerFromPath(require.resolve(file), fontFamily) === null)
      throw new Error(`the font ${file} could not be read`)
}
