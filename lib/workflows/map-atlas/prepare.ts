/**
 * Prepare of `map-atlas`: the raw counts of the atlas (where there is one) and then of the query over the genes of the model, in shards; the
 * batch and the covariates of each cell as numbers of the model; and what labels the files have already, to compare with.
 */
import type { Column } from '../../data/cells.ts'
import { isAnnData } from '../../data/copy-cells.ts'
import { BadInput } from '../../job/errors.ts'
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import { labelsOfNetwork, type NetworkCard } from '../../models/network-card.ts'
import { categoriesOf } from '../parts/category-column.ts'
import { type CellCodes, leftOutCells, writeCellCodes, writeCountShards } from '../parts/count-shards.ts'
import { planOf } from '../parts/gene-maps.ts'
import type { StepResult } from '../workflow.ts'
import { loadAtlasCard } from './atlas-card.ts'
import { leftOutNotice, lowCounts, reasonsOf, refuseNone } from './cell-remarks.ts'
import { type CodedBatches, codeCovariates, type SourceCells } from './codes.ts'
import type { MapAtlasContext } from './context.ts'
import { knownLabels, unknownLabels } from './known-labels.ts'
import { type Source, withSources } from './open-sources.ts'
import { namesFor } from './rules.ts'

export interface Prepared {
  /** of atlas and query; those of the atlas come first */
  cells: number
  atlasCells: number
  /** of the matrix of the query that was read */
  genes: number
  batches: CodedBatches
  /** new categories by further covariate */
  added: string[][]
  /** what block `known` counts: labels that the files had; null where no file has the column */
  known: { column: string; labels: string[] } | null
  /** cells of the query, and of the atlas, that take no part, by reason */
  leftOut: { query: Record<string, number>; atlas: Record<string, number> }
}

export async function prepare(context: MapAtlasContext): Promise<StepResult> {
  const { road, step, stores } = context
  const { settings } = road
  const card = await loadAtlasCard(stores.models, road.models[0]!)
  return withSources(context, async (sources) => {
    const query = sources.at(-1)!
    const atlasCells = sources.length === 1 ? 0 : sources[0]!.obs.rows
    if (settings.mode === 'frozen') refuseOverwriting(query, settings)
    const { setup } = card
    const known = knownLabels(sources, { wanted: settings.label_column, usual: setup.labels.column })
    if (known !== null) await step.writeBlock('known', known.codes)
    const written = await writeCells(context, { sources, card })
    const { cells, leftOut, covariates } = written
    refuseNone(leftOut.subarray(atlasCells), query.file.place)
    const value: Prepared = {
      ...{ cells, atlasCells, genes: query.file.columns },
      batches: covariates.batches,
      added: covariates.added,
      known: known && { column: known.column, labels: known.categories },
      leftOut: {
        atlas: reasonsOf(leftOut.subarray(0, atlasCells)),
        query: reasonsOf(leftOut.subarray(atlasCells)),
      },
    }
    const classes = labelsOfNetwork(card)
    const unlabelled = setup.labels.categories.at(-1)!
    const notices = [
      ...sources.flatMap(({ input }) => input.notices),
      ...covariates.notices,
      ...lowCounts(await step.readBlock('totals', Float64Array), { sources, settings }),
      ...sources.flatMap(({ role, file }) => leftOutNotice(value.leftOut[role], file.place)),
      ...(known === null ? [] : unknownLabels(known, { classes, unlabelled, query })),
    ]
    return { value, notices }
  })
}

/** Counts in shards, and what the model wants to know of each cell. */
async function writeCells(
  context: MapAtlasContext,
  { sources, card }: { sources: readonly Source[]; card: NetworkCard },
) {
  const { setup, shape } = card
  const { settings } = context.road
  const covariates = codeCovariates(
    sources.map((source) => cellsOf(source, { settings, card })),
    { mode: settings.mode, setup, encodesBatches: shape.encodeCovariates },
  )
  const continuous = continuousOf(sources, setup.continuous)
  const maps = await context.geneMaps()
  const counted = await writeCountShards(context, {
    genes: shape.genes,
    bins: card.bins?.count ?? 0,
    sources: await Promise.all(
      sources.map(async ({ role, file, matrix }) => ({
        matrix: await file.matrix(matrix),
        place: file.place,
        target: Int32Array.from(planOf(maps, role).target),
      })),
    ),
  })
  const known = { categories: covariates.categories, continuous }
  const leftOut = leftOutCells(counted, known)
  const labels = labelsFor(card, counted.cells)
  await writeCellCodes(context.step, { ...known, labels, leftOut })
  return { cells: counted.cells, leftOut, covariates }
}

/** A dispersion by label wants one of every cell: that of cells without. */
function labelsFor({ shape }: NetworkCard, cells: number): CellCodes['labels'] {
  return shape.dispersion === 'gene-label' ? new Int32Array(cells).fill(shape.labels - 1) : null
}

/** Columns were looked at before; of arrays only the file itself knows. */
function refuseOverwriting({ file }: Source, settings: MapAtlasSettings): void {
  if (settings.overwrite || !isAnnData(file)) return
  const { jointUmap, ...names } = namesFor(settings).obsm
  const taken = Object.values(names).filter((name) => file.namesIn('obsm').includes(name))
  if (taken.length > 0)
    throw new BadInput(
      'OUTPUT_EXISTS',
      `${file.place}:/obsm/${taken[0]}`,
      `the file has arrays of this name already: ${taken.join(', ')}`,
      'Choose another obsm_key, or set overwrite: true to replace them',
    )
}

function cellsOf(
  { role, file, obs }: Source,
  { settings, card }: { settings: MapAtlasSettings; card: NetworkCard },
): SourceCells {
  const column = (name: string, setting: string) =>
    categoriesOf(obs, { column: name, setting, place: file.place })
  return {
    place: file.place,
    isAtlas: role === 'atlas',
    batch: column(settings.batch_key, 'batch_key'),
    categorical: card.setup.categorical.map(({ column: name }) => column(name ?? '', 'the model')),
  }
}

/** Cells x columns; NaN where a cell has no value. */
function continuousOf(sources: readonly Source[], columns: readonly string[]): Float32Array | null {
  if (columns.length === 0) return null
  const cells = sources.reduce((sum, { obs }) => sum + obs.rows, 0)
  const numbers = new Float32Array(cells * columns.length)
  let first = 0
  for (const { obs, file } of sources) {
    for (const [at, name] of columns.entries()) {
      const values = numbersOf(obs.columns.get(name), `${file.place}:/obs/${name}`)
      for (let cell = 0; cell < obs.rows; cell++) numbers[(first + cell) * columns.length + at] = values(cell)
    }
    first += obs.rows
  }
  return numbers
}

function numbersOf(column: Column | undefined, place: string): (cell: number) => number {
  if (column?.kind !== 'number')
    throw new BadInput(
      'COVARIATE_COLUMN',
      place,
      column === undefined ? 'the model needs this column, which is missing' : 'the model needs numbers here',
      'Give the column as it was when the model was trained',
    )
  const { values, mask } = column
  return (cell) => (mask?.[cell] === 1 ? Number.NaN : Number(values[cell]))
}
