/**
 * Prepare of `map-atlas`: the raw counts of the atlas (where there is one) and then of the query over the genes of the model, in shards; the
 * batch and the covariates of each cell as numbers of the model; and what labels the files have already, to compare with.
 */
import { isAnnData } from '../../data/copy-cells.ts'
import { BadInput } from '../../job/errors.ts'
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import { labelsOfNetwork, type NetworkCard } from '../../models/network-card.ts'
import { requireDecoder } from '../../models/scvi-model.ts'
import { categoriesOf } from '../parts/category-column.ts'
import { leftOutCells, writeCellCodes, writeCountShards } from '../parts/count-shards.ts'
import {
  type CodedBatches,
  type CovariateCodes,
  codeCovariates,
  type SourceCells,
} from '../parts/covariate-codes.ts'
import { continuousOf } from '../parts/covariate-columns.ts'
import { type ExpressionPlan, planExpression } from '../parts/expression-plan.ts'
import { planOf } from '../parts/gene-maps.ts'
import { leftOutNotice, reasonsOf, refuseNone } from '../parts/left-out-cells.ts'
import type { StepResult } from '../workflow.ts'
import { loadAtlasCard } from './atlas-card.ts'
import type { MapAtlasContext } from './context.ts'
import { knownLabels, unknownLabels } from './known-labels.ts'
import { lowCounts } from './low-counts.ts'
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
  /** null where no expression is asked for */
  expression: ExpressionPlan | null
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
    const covariates = covariatesOf(sources, { settings, card })
    const cellsOfAll = sources.reduce((sum, { obs }) => sum + obs.rows, 0)
    const first = settings.mode === 'extend' ? 0 : atlasCells
    const { reference, added } = covariates.batches
    const expression = planExpression(settings, {
      ...{ genes: card.genes, batches: [...reference, ...added], first, cells: cellsOfAll - first },
    })
    if (expression.plan !== null) requireDecoder(card, `model: ${card.name}`)
    const { cells, leftOut } = await writeCells(context, { sources, card, covariates })
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
      expression: expression.plan,
    }
    const classes = labelsOfNetwork(card)
    const unlabelled = setup.labels.categories.at(-1)!
    const notices = [
      ...sources.flatMap(({ input }) => input.notices),
      ...covariates.notices,
      ...expression.notices,
      ...lowCounts(await step.readBlock('totals', Float64Array), { sources, settings }),
      ...sources.flatMap(({ role, file }) => leftOutNotice(value.leftOut[role], file.place)),
      ...(known === null ? [] : unknownLabels(known, { classes, unlabelled, query })),
    ]
    return { value, notices }
  })
}

function covariatesOf(
  sources: readonly Source[],
  { settings, card }: { settings: MapAtlasSettings; card: NetworkCard },
): CovariateCodes {
  const { mode, elbo, normalized_expression } = settings
  return codeCovariates(
    sources.map((source) => cellsOf(source, { settings, card })),
    {
      ...{ mode, setup: card.setup, encodesBatches: card.shape.encodeCovariates, learning: 'mode: extend' },
      decodesBatches: card.decoder === 'computed' && (elbo || normalized_expression),
    },
  )
}

/** Counts in shards, and what the model wants to know of each cell. */
async function writeCells(
  context: MapAtlasContext,
  {
    sources,
    card,
    covariates,
  }: { sources: readonly Source[]; card: NetworkCard; covariates: CovariateCodes },
) {
  const { setup, shape } = card
  const continuous = continuousOf(
    sources.map(({ obs, file }) => ({ obs, place: file.place })),
    setup.continuous,
  )
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
  await writeCellCodes(context.step, { ...known, labels: null, leftOut })
  return { cells: counted.cells, leftOut }
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
