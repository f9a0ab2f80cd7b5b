/**
 * What a network is given of the query: raw counts over its genes, in shards, and the batch and covariates of each cell as numbers of the model.
 * Without `batch_key` the whole file is one batch that the model does not know, as CELLxGENE Annotate has it.
 */
import type { CellFile, Matrix } from '../../data/cells.ts'
import type { ErrorReport } from '../../job/errors.ts'
import type { GenePlan } from '../../knowledge/gene-plan.ts'
import type { NetworkCard } from '../../models/network-card.ts'
import { categoriesOf } from '../parts/category-column.ts'
import type { Coded } from '../parts/coded.ts'
import { leftOutCells, writeCellCodes, writeCountShards } from '../parts/count-shards.ts'
import { type CodedBatches, codeCovariates, freeName, type SourceCells } from '../parts/covariate-codes.ts'
import { continuousOf } from '../parts/covariate-columns.ts'
import { leftOutNotice, reasonsOf, refuseNone } from '../parts/left-out-cells.ts'
import { stemOf } from '../parts/results.ts'
import type { AnnotateContext } from './context.ts'

export interface NetworkCells {
  batches: CodedBatches
  /** new categories by further covariate */
  added: string[][]
  /** cells that get no place, by reason */
  leftOut: Record<string, number>
}

export interface QueryOfNetwork {
  file: CellFile
  matrix: Matrix
  plan: GenePlan
  card: NetworkCard
}

/** @throws BadInput CELLS_NONE_LEFT, COVARIATE_UNKNOWN, VALUES_NOT_COUNTS, COUNTS_NOT_WHOLE */
export async function writeNetworkCells(
  context: AnnotateContext,
  { file, matrix, plan, card }: QueryOfNetwork,
): Promise<{ value: NetworkCells; notices: ErrorReport[] }> {
  const { place } = file
  const { setup, shape, bins } = card
  const { mapping } = context.road.settings
  const obs = await file.obs()
  const column = (name: string, setting: string) => categoriesOf(obs, { column: name, setting, place })
  const { batch_key } = context.road.settings
  const source: SourceCells = {
    place,
    isAtlas: false,
    batch: batch_key === undefined ? oneBatch(context, card, obs.rows) : column(batch_key, 'batch_key'),
    categorical: setup.categorical.map(({ column: name }) => column(name ?? '', 'the model')),
  }
  const learning = 'mapping: surgery'
  const mode = mapping === 'surgery' ? 'extend' : 'frozen'
  const covariates = codeCovariates([source], {
    mode,
    setup,
    encodesBatches: shape.encodeCovariates,
    learning,
  })
  const counted = await writeCountShards(context, {
    sources: [{ matrix, place, target: Int32Array.from(plan.target) }],
    genes: shape.genes,
    bins: bins?.count ?? 0,
    isSeen: true,
  })
  const { categories } = covariates
  const continuous = continuousOf([{ obs, place }], setup.continuous)
  const leftOut = leftOutCells(counted, { categories, continuous })
  refuseNone(leftOut, place)
  await writeCellCodes(context.step, { categories, continuous, leftOut, labels: null })
  const value = { batches: covariates.batches, added: covariates.added, leftOut: reasonsOf(leftOut) }
  return { value, notices: [...covariates.notices, ...leftOutNotice(value.leftOut, place)] }
}

/** Called as the file is, or beside a batch of the model that happens to be called so. */
function oneBatch({ road }: AnnotateContext, { setup }: NetworkCard, cells: number): Coded {
  const { categories } = setup.batch
  const name = freeName(stemOf(road.inputs[0]!.pin.key), (taken) => categories.includes(taken))
  return { codes: new Int32Array(cells), categories: [name] }
}
