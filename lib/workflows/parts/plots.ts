/** Pictures beside a result and on its page. A result does not hang on one: a picture that cannot be drawn is told. */
import type { ErrorReport } from '../../job/errors.ts'
import type { Figure } from '../../report/content.ts'
import type { StepContext } from '../workflow.ts'
import { once } from './results.ts'

export interface Plot extends Omit<Figure, 'png'> {
  /** what it is called among the outputs; `plot_` and its file's name unless told */
  key?: string
  /** name of its file */
  file: string
  /** false for what the page shows in another way */
  isOnPage?: boolean
  draw(): Promise<Uint8Array>
}

export interface Drawn {
  /** files by output */
  pictures: Record<string, string>
  /** for the page */
  figures: Figure[]
  /** PLOT_NOT_DRAWN */
  failed: ErrorReport[]
}

export async function drawPlots(context: StepContext, plots: readonly Plot[]): Promise<Drawn> {
  const drawn: Drawn = { pictures: {}, figures: [], failed: [] }
  for (const { key, file, isOnPage = true, draw, ...told } of plots) {
    context.signal.throwIfAborted()
    const png = await draw().catch((error: unknown) => notDrawn(error, file))
    if ('problem' in png) {
      drawn.failed.push(png)
      continue
    }
    await once(context, file, async () => png)
    drawn.pictures[key ?? `plot_${file.replace(/\.png$/, '')}`] = file
    if (isOnPage) drawn.figures.push({ ...told, png })
  }
  return drawn
}

function notDrawn(error: unknown, file: string): ErrorReport {
  const problem = `it could not be drawn: ${error instanceof Error ? error.message : String(error)}`
  return { code: 'PLOT_NOT_DRAWN', place: file, problem, remedy: 'The tables hold what it would have shown' }
}
