/**
 * What a network is given of the cells that it was made with, where their file is at hand: raw counts over its genes, and batch and covariates as
 * numbers of its categories. Looked for, matched and refused as the inputs of a job are, so that cells lie where a job would place them.
 */
import type { CellFile, Matrix, Table } from '../../data/cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'
import { type GenePlan, planGenes } from '../../knowledge/gene-plan.ts'
import { speciesOf } from '../../knowledge/genes.ts'
import type { NetworkCard } from '../../models/network-card.ts'
import { type ChosenCounts, chooseCounts } from '../../prep/choose-counts.ts'
import { matrixNamed } from '../../prep/counts-state.ts'
import { inspectDataset } from '../../prep/inspect-dataset.ts'
import { shownNames } from '../../prep/shown-names.ts'
import { zeroFilledNotices } from '../../prep/zero-filled.ts'
import { geneNames } from '../road/facts.ts'
import { categoriesOf } from './category-column.ts'
import type { Coded } from './coded.ts'
import { type CodedBatches, codeCovariates } from './covariate-codes.ts'
import { continuousOf, requireCovariates } from './covariate-columns.ts'
import { requireCounts } from './require-counts.ts'

export interface AtlasChoices {
  /** obs column with the batch; that of the model unless told */
  batchColumn?: string
  /** what the column is called by who named it, for messages */
  batchSetting: string
  /** matrix of the raw counts, as the settings of jobs have it; looked for unless told */
  countsLayer?: string
  /** column of var with the names of the genes; looked for unless told */
  geneColumn?: string
}

export interface AtlasCells {
  obs: Table
  matrix: Matrix
  /** of each column of the matrix the gene of the model, or -1 */
  target: Int32Array
  batches: CodedBatches
  /** by covariate, batch first: category of each cell, -1 for none */
  categories: Int32Array[]
  /** cells x continuous covariates; null where there are none */
  continuous: Float32Array | null
  notices: ErrorReport[]
}

/**
 * @throws BadInput CELLS_NONE, COUNTS_NOT_FOUND, COUNTS_NEEDED, COUNTS_LAYER_MISSING, GENES_NO_OVERLAP, GENES_TOO_FEW, GENE_COLUMN_MISSING,
 * COLUMN_MISSING for the batch, COVARIATE_COLUMN, COVARIATE_UNKNOWN
 */
export async function atlasCells(
  file: CellFile,
  { card, ...choices }: AtlasChoices & { card: NetworkCard },
): Promise<AtlasCells> {
  const { setup, shape } = card
  const { inspection, counts } = await lookAt(file, choices)
  requireCounts({ inspection, counts })
  requireCovariates({ inspection }, setup)
  const obs = await file.obs()
  const covariates = codeCovariates(
    [
      {
        place: file.place,
        isAtlas: true,
        batch: batchOf(obs, { card, place: file.place, ...choices }),
        categorical: setup.categorical.map(({ column }) =>
          categoriesOf(obs, { column: column ?? '', setting: 'the model', place: file.place }),
        ),
      },
    ],
    { mode: 'frozen', setup, encodesBatches: shape.encodeCovariates },
  )
  const { plan, notices } = await planOf(file, { card, counts, ...choices })
  return {
    obs,
    matrix: await file.matrix(counts.matrix),
    target: Int32Array.from(plan.target),
    batches: covariates.batches,
    categories: covariates.categories,
    continuous: continuousOf([{ obs, place: file.place }], setup.continuous),
    notices: [...inspection.notices, ...counts.notices, ...notices, ...covariates.notices],
  }
}

async function lookAt(file: CellFile, { countsLayer }: Pick<AtlasChoices, 'countsLayer'>) {
  const named = countsLayer === undefined ? {} : { countsLayer }
  const inspection = await inspectDataset(file, { seed: 0, ...named })
  if (inspection.nObs === 0)
    throw new BadInput('CELLS_NONE', file.place, 'there are no cells in the file', 'Give a file with cells')
  const { rawCounts, normalisationDetails } = inspection
  const counts = chooseCounts(
    { rawCounts, normalisation: normalisationDetails, checked: normalisationDetails.checked, notices: [] },
    {
      place: file.place,
      ...(countsLayer !== undefined && { countsLayer: matrixNamed(file, countsLayer) }),
    },
  )
  return { inspection, counts }
}

/** Where places do not depend on the batch, no file need have the column. */
function batchOf(
  obs: Table,
  { card, place, batchColumn, batchSetting }: AtlasChoices & { card: NetworkCard; place: string },
): Coded {
  const { setup, shape } = card
  const own = shape.encodeCovariates ? setup.batch.column : null
  const column = batchColumn ?? own
  if (column === null) return { codes: new Int32Array(obs.rows), categories: [setup.batch.categories[0]!] }
  if (batchColumn === undefined && !obs.columns.has(column))
    throw batchMissing(column, { obs, place, batchSetting })
  return categoriesOf(obs, { column, setting: batchSetting, place })
}

function batchMissing(
  column: string,
  { obs, place, batchSetting }: { obs: Table; place: string; batchSetting: string },
): BadInput {
  const problem = `the model had its batches from an obs column "${printable(column)}", which is not there; there are: ${shownNames([...obs.columns.keys()])}`
  return new BadInput(
    'COLUMN_MISSING',
    `${place}:/obs`,
    problem,
    `Name the column with the batch in ${batchSetting}`,
  )
}

async function planOf(
  file: CellFile,
  { card, counts, geneColumn }: AtlasChoices & { card: NetworkCard; counts: ChosenCounts },
): Promise<{ plan: GenePlan; notices: ErrorReport[] }> {
  const place = `${file.place}:/${counts.matrix === 'raw/X' ? 'raw/var' : 'var'}`
  const plan = await planGenes({
    place,
    query: {
      candidates: geneNames(await file.genesOf(counts.matrix)),
      ...(geneColumn !== undefined && { chosen: geneColumn }),
    },
    model: { genes: card.genes, type: card.geneIds, species: speciesOf(card.organism) },
  })
  return { plan, notices: [...plan.notices, ...zeroFilledNotices(plan, { place, whose: 'the model' })] }
}
