/** `celldrop convert FILE OUT.h5ad`: any file of cells as a current h5ad, streamed; an existing OUT is never overwritten. */
import { copyCells } from '../data/copy-cells.ts'
import type { MatrixToWrite } from '../data/h5ad-matrix.ts'
import { openCells } from '../data/open-cells.ts'
import { type AnnDataToWrite, writeH5ad } from '../data/write-h5ad.ts'
import { BadInput } from '../job/errors.ts'
import type { Flags, Invocation } from './command.ts'

export async function convertCommand({
  positionals,
  flags,
  options,
  print,
  progress,
  listenForStop,
}: Invocation): Promise<void> {
  const [source, target, ...others] = positionals
  if (source === undefined || target === undefined || others.length > 0) {
    throw new BadInput(
      'USAGE',
      'celldrop convert',
      'a file and the path of the new one are needed',
      'celldrop convert FILE OUT.h5ad',
    )
  }
  const gzip = levelOf(flags)
  const file = await openCells(source, options.open)
  try {
    const { parts, leftOut } = await copyCells(file)
    for (const { problem } of file.notices) progress(`note: ${problem}`)
    for (const line of leftOut) progress(`left out: ${line}`)
    await writeH5ad(target, interruptible(parts, listenForStop()), { gzip })
    const summary = { output: target, nObs: file.rows, nVars: file.columns, matrices: file.matrices, leftOut }
    print(options.json ? JSON.stringify(summary) : `${target}: ${file.rows} cells x ${file.columns} genes`)
  } finally {
    await file.close()
  }
}

function levelOf({ gzip = '4' }: Flags): number {
  const level = Number(gzip)
  if (Number.isInteger(level) && level >= 0 && level <= 9) return level
  throw new BadInput(
    'USAGE',
    'celldrop',
    `--gzip ${String(gzip)} is no level`,
    'Give a whole number from 0 to 9',
  )
}

/** Ctrl-C ends the writing between two slabs; the writer then leaves nothing behind. */
function interruptible(parts: AnnDataToWrite, signal: AbortSignal): AnnDataToWrite {
  const watched = (matrix: MatrixToWrite): MatrixToWrite => ({
    ...matrix,
    async *slabs(options) {
      for await (const slab of matrix.slabs(options)) {
        signal.throwIfAborted()
        yield slab
      }
    },
  })
  return {
    ...parts,
    ...(parts.x !== undefined && { x: watched(parts.x) }),
    ...(parts.raw !== undefined && { raw: { ...parts.raw, x: watched(parts.raw.x) } }),
    layers: new Map([...(parts.layers ?? [])].map(([name, matrix]) => [name, watched(matrix)])),
  }
}
