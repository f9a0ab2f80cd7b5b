/**
 * training.h5ad: the cells that were learnt from, of all references, as one file. It is what SpatialCore's combine_references and
 * subsample_balanced leave: X is log1p of counts scaled to 10,000 over the genes of the model, obs says where each cell is from.
 *
 * Trap: columns of obs that one reference lacks stay, missing there; SpatialCore's inner join drops them, Cell Ontology ids and all.
 */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { Column } from '../../data/cells.ts'
import type { PlainValue } from '../../data/h5ad-element.ts'
import type { MatrixToWrite } from '../../data/h5ad-matrix.ts'
import { writeH5ad } from '../../data/write-h5ad.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { product } from '../../job/product.ts'
import { readJson } from '../../job/steps.ts'
import { layerCounts, trainingNames } from '../../job/stored-names.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { selectRows } from '../../prep/select-rows.ts'
import { planOf } from '../parts/gene-maps.ts'
import { once, textBytes } from '../parts/results.ts'
import { labelFindings } from './columns.ts'
import type { TypeCellsContext } from './context.ts'
import { type OpenReference, withReferences } from './open-references.ts'
import { readTrainingCells, type TrainingCells } from './training-cells.ts'
import { type TrainingRowsOf, trainingObs } from './training-obs.ts'
import type { Typed } from './typed.ts'

export const trainingFile = 'training.h5ad'

/** @returns a notice for each thing of the references that the file does not have */
export async function writeTraining(context: TypeCellsContext, typed: Typed): Promise<ErrorReport[]> {
  const { step, scratch, stores } = context
  await once(context, trainingFile, async () => {
    const path = join(scratch, trainingFile)
    const { found: notices } = await withReferences(context, (references) =>
      writeFileOf(context, { typed, references, path }),
    )
    await step.write('training-notices.json', textBytes(JSON.stringify(notices)))
    return createReadStream(path)
  })
  return (await readJson<ErrorReport[]>(stores.work, `${step.prefix}training-notices.json`)) ?? []
}

async function writeFileOf(
  context: TypeCellsContext,
  { typed, references, path }: { typed: Typed; references: readonly OpenReference[]; path: string },
): Promise<ErrorReport[]> {
  const { prepared } = typed
  const genes = prepared.modelGenes
  const prepare = context.before('Prepare')
  const cells = await readTrainingCells(prepare, genes.length)
  const rows = await prepare.readBlock('training-rows', Int32Array)
  const chosen = references.map((reference, index): TrainingRowsOf => {
    const own = cells.sources.map((source) => Number(source === index))
    return {
      file: reference.file,
      labelColumn: context.road.settings.label_columns[index]!,
      source: prepared.sources[index]!,
      rows: rows.filter((_, cell) => own[cell] === 1),
      classes: cells.classes.filter((_, cell) => own[cell] === 1),
    }
  })
  const { obs, notices } = await trainingObs(chosen, { classes: prepared.classes, place: trainingFile })
  const lacking = prepared.sources.filter((_, index) => references[index]!.facts.counts.from !== 'counts')
  const counts =
    lacking.length > 0 ? undefined : await countsOf(context, { references, chosen, cells, genes })
  const uns = new Map<string, PlainValue>([
    [trainingNames.uns.validation, JSON.stringify(labelFindings(context))],
    [trainingNames.uns.provenance, provenance(context, typed)],
  ])
  await writeH5ad(path, {
    obs,
    var: { rows: genes.length, indexName: '_index', index: [...genes], columns: new Map<string, Column>() },
    x: matrixOf(cells),
    ...(counts !== undefined && { layers: new Map([[layerCounts, counts]]) }),
    uns: Object.fromEntries(uns),
  })
  return lacking.length === 0 ? notices : [...notices, noCounts(lacking)]
}

const rowsAtOnce = 4096

function matrixOf({ rows, columns, indptr, indices, values }: TrainingCells): MatrixToWrite {
  return {
    ...{ rows, columns, type: 'float32', stored: indices.length },
    async *slabs() {
      for (let start = 0; start < rows; start += rowsAtOnce) {
        const end = Math.min(start + rowsAtOnce, rows)
        const first = indptr[start]!
        yield {
          ...{ start, rows: end - start, columns },
          indptr: Float64Array.from(indptr.subarray(start, end + 1), (at) => at - first),
          indices: indices.subarray(first, indptr[end]!) as Int32Array,
          values: values.subarray(first, indptr[end]!),
        }
      }
    },
  }
}

/** The counts of the same cells over the same genes, all of them: X may have been thinned to the query's depth. */
async function countsOf(
  context: TypeCellsContext,
  of: {
    references: readonly OpenReference[]
    chosen: readonly TrainingRowsOf[]
    cells: TrainingCells
    genes: readonly string[]
  },
): Promise<MatrixToWrite> {
  const { references, chosen, cells, genes } = of
  const maps = await context.geneMaps()
  const numbers = new Map(genes.map((gene, at) => [gene, at]))
  const place = maps.genes!.map((gene) => numbers.get(gene) ?? -1)
  const parts = await Promise.all(
    references.map(async ({ role, file, facts }, index) => {
      const whole = await file.matrix(facts.counts.matrix)
      return {
        // of the chosen rows nobody knows before they are read
        most: whole.stored,
        matrix: selectRows(whole, chosen[index]!.rows),
        target: Int32Array.from(planOf(maps, role).target, (gene) => (gene < 0 ? -1 : place[gene]!)),
      }
    }),
  )
  const isWide = parts.some(({ matrix }) => /32|64/.test(matrix.type) && matrix.type !== 'float32')
  return {
    ...{ rows: cells.rows, columns: genes.length, stored: parts.reduce((sum, { most }) => sum + most, 0) },
    type: isWide ? 'float64' : 'float32',
    async *slabs() {
      let before = 0
      for (const { matrix, target } of parts) {
        for await (const slab of matrix.slabs({ transient: true })) {
          context.signal.throwIfAborted()
          yield { ...alignRows(slab, { target, genes: genes.length }), start: before + slab.start }
        }
        before += matrix.rows
      }
    },
  }
}

function noCounts(sources: readonly string[]): ErrorReport {
  const problem = `layers["counts"] was not written: there are no raw counts in ${sources.join(', ')}`
  const remedy = 'Keep the raw counts in layers["counts"] of every reference'
  return { code: 'TRAINING_NO_COUNTS', place: trainingFile, problem, remedy }
}

const thinned = '; of references deeper than the query, of counts drawn down to its depth'

/** How the file came about, for whoever opens it without the report. */
function provenance({ road, job }: TypeCellsContext, { prepared, model }: Typed): PlainValue {
  const { settings } = road
  return {
    references: prepared.sources,
    label_columns: settings.label_columns,
    basis: `log1p of counts scaled to 10,000 over these genes${settings.match_depth ? thinned : ''}`,
    match_depth: settings.match_depth,
    n_cells: prepared.trainingCells,
    n_genes: prepared.modelGenes.length,
    n_cell_types: prepared.classes.length,
    balance_strategy: settings.balance_strategy,
    max_cells_per_type: settings.max_cells_per_type,
    min_cells_per_type: settings.min_cells_per_type,
    group_by: settings.group_by,
    seed: settings.seed,
    model_name: model.card.name,
    model_id: model.card.id,
    created_at: job.created,
    product_version: product.version,
    job_id: job.jobId,
  }
}
