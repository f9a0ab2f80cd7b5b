/**
 * The cells that an imported network was made with, as it keeps them: its encoder places them, and columns of obs label them. Slab by slab: of the
 * counts never more than one is in memory.
 *
 * Trap: scvi-tools swaps labels about and has one for cells without; here the column says what a cell is, and what the model calls unlabelled is none.
 */
import type { CellFile } from '../../data/cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { withAverageBatch } from '../../models/adapt-model.ts'
import type { NetworkModel } from '../../models/network-model.ts'
import type { ReferenceCells, ReferenceColumn } from '../../models/reference-cells.ts'
import { fitsReference } from '../../models/reference-cells.ts'
import { scviInference } from '../../models/scvi-inference.ts'
import { type AtlasCells, type AtlasChoices, atlasCells } from './atlas-cells.ts'
import { codesOf, leftOutCells, modelCounts, slabRows } from './count-shards.ts'
import { checkLabelColumns, labelColumns } from './label-columns.ts'
import { leftOutNotice, reasonsOf, refuseNone } from './left-out-cells.ts'

export interface PlacingOptions extends AtlasChoices {
  /** of obs; that which the model was taught comes first wherever it stands */
  columns: readonly string[]
  /** what these are called by who named them, for messages */
  columnsSetting: string
  signal: AbortSignal
}

/**
 * Cells without counts on the model's genes, without a batch or without a covariate are left out, told.
 * @param network without bins: `card.bins` says whether counts are binned
 * @throws BadInput what `atlasCells` refuses; COLUMN_MISSING, COLUMN_NUMBERS, LABELS_TOO_MANY, LABELS_TOO_LONG, LABELS_NONE, CELLS_NONE_LEFT,
 * VALUES_NOT_COUNTS, COUNTS_NOT_WHOLE, MODEL_TOO_LARGE; the signal's reason
 */
export async function placeAtlas(
  file: CellFile,
  { network, ...options }: PlacingOptions & { network: NetworkModel },
): Promise<{ reference: ReferenceCells; notices: ErrorReport[] }> {
  const { card } = network
  const { place } = file
  const wanted = taughtFirst(options.columns, card.setup.labels.column)
  const there = [...(await file.obs()).columns].map(([name, { kind }]) => ({ name, kind }))
  checkLabelColumns(there, { columns: wanted, setting: options.columnsSetting, place })
  refuseTooMany(file, { network, columns: wanted.length })
  const atlas = await atlasCells(file, { ...options, card })
  const { latent, leftOut } = await placesOf(file, { network, atlas, signal: options.signal })
  refuseNone(leftOut, place)
  const taking = Int32Array.from(leftOut.keys()).filter((cell) => leftOut[cell] === 0)
  const labels = columnsOf(atlas, { network, wanted, leftOut, options, place })
  const width = card.shape.latent
  const kept = new Float32Array(taking.length * width)
  for (const [i, cell] of taking.entries())
    kept.set(latent.subarray(cell * width, (cell + 1) * width), i * width)
  const columns = labels.columns.map((one) => ({ ...one, codes: taking.map((cell) => one.codes[cell]!) }))
  return {
    reference: { cells: taking.length, latent: kept, columns },
    notices: [
      ...atlas.notices,
      ...leftOutNotice(reasonsOf(leftOut), place),
      ...labels.notices,
      ...otherCells(card.training.cells, { cells: taking.length, place }),
    ],
  }
}

function taughtFirst(columns: readonly string[], taught: string | null): string[] {
  const distinct = [...new Set(columns)]
  return [
    ...distinct.filter((column) => column === taught),
    ...distinct.filter((column) => column !== taught),
  ]
}

function refuseTooMany(
  file: CellFile,
  { network: { card }, columns }: { network: NetworkModel; columns: number },
): void {
  if (fitsReference({ cells: file.rows, latent: card.shape.latent, columns })) return
  throw new BadInput(
    'MODEL_TOO_LARGE',
    file.place,
    `the places of ${file.rows} cells are too large to be kept in a model`,
    'Give a sample of these cells',
  )
}

/** Cells x latent; zeros for cells that are left out. */
async function placesOf(
  file: CellFile,
  { network, atlas, signal }: { network: NetworkModel; atlas: AtlasCells; signal: AbortSignal },
): Promise<{ latent: Float32Array; leftOut: Uint8Array }> {
  const { card } = network
  const { matrix, target, batches } = atlas
  const { latent: width, genes } = card.shape
  const model =
    batches.average === null
      ? network.model
      : withAverageBatch(network.model, { name: batches.average, batches: batches.reference.length })
  const place = `${file.place}:${matrix.name}`
  const latent = new Float32Array(matrix.rows * width)
  const hasCounts = new Uint8Array(matrix.rows)
  const hasOthers = leftOutCells({ cells: matrix.rows, hasCounts: hasCounts.slice().fill(1) }, atlas)
  const inference = scviInference(model, { place, notices: [] })
  try {
    for await (const slab of matrix.slabs({ transient: true })) {
      signal.throwIfAborted()
      const aligned = modelCounts(slab, { place, target, genes, bins: card.bins?.count ?? 0 })
      const { indptr, start } = aligned
      const rows = Int32Array.from({ length: aligned.rows }, (_, row) => row).filter(
        (row) => indptr[row + 1]! > indptr[row]!,
      )
      for (const row of rows) hasCounts[start + row] = 1
      const own = rows.filter((row) => hasOthers[start + row] === 0)
      const known = codesOf(
        { ...atlas, labels: null, leftOut: hasOthers },
        own.map((row) => start + row),
      )
      const { mean } = await inference.posterior(slabRows(aligned, own), {
        categories: known.categories,
        ...(known.continuous !== null && { continuous: known.continuous }),
      })
      for (const [i, row] of own.entries())
        latent.set(mean.subarray(i * width, (i + 1) * width), (start + row) * width)
    }
  } finally {
    await inference.close()
  }
  return { latent, leftOut: leftOutCells({ cells: matrix.rows, hasCounts }, atlas) }
}

/** @throws BadInput LABELS_NONE */
function columnsOf(
  { obs }: AtlasCells,
  {
    network: { card },
    wanted,
    leftOut,
    options,
    place,
  }: {
    network: NetworkModel
    wanted: readonly string[]
    leftOut: Uint8Array
    options: PlacingOptions
    place: string
  },
): { columns: ReferenceColumn[]; notices: ErrorReport[] } {
  const setting = options.columnsSetting
  const found = labelColumns(obs, {
    ...{ columns: wanted, setting, place },
    takesPart: (cell) => leftOut[cell] === 0,
  })
  const columns = found.columns.map(({ column, categories, codes }) =>
    card.kind === 'scanvi' && column === card.setup.labels.column
      ? withoutLabel({ column, categories, codes }, card.unlabelled)
      : { column, categories, codes },
  )
  const labelled = columns.filter(({ categories }) => categories.length > 0)
  if (labelled.length > 0) return { columns: labelled, notices: found.notices }
  throw new BadInput(
    'LABELS_NONE',
    `${place}:/obs`,
    `no cell that can be placed has a label in the columns that ${setting} names`,
    'Name a column with cell types',
  )
}

function withoutLabel({ column, categories, codes }: ReferenceColumn, label: string): ReferenceColumn {
  const at = categories.indexOf(label)
  if (at < 0) return { column, categories, codes }
  return {
    column,
    categories: categories.filter((category) => category !== label),
    codes: codes.map((code) => (code === at ? -1 : code > at ? code - 1 : code)),
  }
}

/** Other cells than it was made with are no fault, but seldom what was meant. */
function otherCells(made: number, { cells, place }: { cells: number; place: string }): ErrorReport[] {
  if (made === cells) return []
  return [
    {
      code: 'REFERENCE_CELLS_OTHER',
      place,
      problem: `the model was made with ${made} cells, and ${cells} are kept with it now`,
      remedy: 'Give the file that it was trained on, unless other labelled cells are meant',
    },
  ]
}
