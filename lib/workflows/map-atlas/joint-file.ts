/**
 * The expanded atlas as one h5ad: the cells of the atlas and of the query over the genes that both have, raw counts in layers["counts"] and
 * their logs (of counts per 10,000 over all genes of the file) as X, places and labels of all. Rows go from the two files into the new one slab by
 * slab; no matrix is ever whole in memory.
 *
 * Genes keep the names that the atlas has for them. What else a file holds (other layers, arrays, graphs, uns) is of its own cells alone
 * and is left out, which is told.
 */
import type { CellFile, Column, Matrix, RowSlab, Table } from '../../data/cells.ts'
import { isAnnData } from '../../data/copy-cells.ts'
import type { MatrixToWrite } from '../../data/h5ad-matrix.ts'
import { tableRows } from '../../data/table-rows.ts'
import { type Unstructured, writeH5ad } from '../../data/write-h5ad.ts'
import type { ErrorReport } from '../../job/errors.ts'
import { layerCounts } from '../../job/stored-names.ts'
import { alignRows } from '../../prep/align-genes.ts'
import { normalisedRows } from '../../prep/normalise.ts'
import { planOf } from '../parts/gene-maps.ts'
import type { MapAtlasContext } from './context.ts'
import { jointPlan } from './genes.ts'
import { joinAtlasObs } from './joint-obs.ts'
import { type Source, withSources } from './open-sources.ts'

export interface JointAdditions {
  obs: ReadonlyMap<string, Column>
  obsm: ReadonlyMap<string, { values: Float32Array; width: number }>
  uns: Unstructured
  /** columns of obs that an earlier run wrote: they go */
  without: readonly string[]
}

interface Part {
  file: CellFile
  matrix: Matrix
  /** for each column of the matrix that of the joint file, or -1 */
  target: Int32Array
}

export interface JointGenes {
  /** of each gene of the joint file, its number in the atlas and in the query */
  atlas: Int32Array
  query: Int32Array
}

/** To a path that does not exist yet. */
export async function writeJoint(
  context: MapAtlasContext,
  path: string,
  additions: JointAdditions,
): Promise<ErrorReport[]> {
  const { target } = planOf(await context.geneMaps(), jointPlan)
  const genes = jointGenes(target)
  return withSources(context, async (opened) => {
    const [atlas, query] = opened as [Source, Source]
    const parts = [
      await partOf(atlas, (columns) => placesOf(genes.atlas, columns)),
      await partOf(query, () => queryTarget(target, genes.atlas)),
    ]
    const obs = joinAtlasObs({ atlas: atlas.obs, query: query.obs }, { without: additions.without })
    const { rows } = obs.table
    const matrix = (of: Rows) => matrixOf(parts, { genes: genes.atlas.length, rows: of })
    await writeH5ad(path, {
      obs: { ...obs.table, columns: new Map([...obs.table.columns, ...additions.obs]) },
      var: await jointVar(parts, genes),
      x: matrix(logs),
      layers: new Map([[layerCounts, matrix(counts)]]),
      obsm: new Map(
        [...additions.obsm].map(([name, { values, width }]) => [
          name,
          { kind: 'array' as const, type: 'float32' as const, shape: [rows, width], values },
        ]),
      ),
      uns: additions.uns,
    })
    return [...obs.notices, ...leftBehind(opened)]
  })
}

async function partOf(
  { file, matrix: name }: Source,
  targetOf: (columns: number) => Int32Array,
): Promise<Part> {
  const matrix = await file.matrix(name)
  return { file, matrix, target: targetOf(matrix.columns) }
}

/** In the order of the atlas; of genes of the query that are one of the atlas, the first says what it is. */
export function jointGenes(target: readonly number[]): JointGenes {
  const first = new Map<number, number>()
  for (const [gene, atlas] of target.entries()) if (atlas >= 0 && !first.has(atlas)) first.set(atlas, gene)
  const atlas = Int32Array.from(first.keys()).sort()
  return { atlas, query: atlas.map((gene) => first.get(gene)!) }
}

function placesOf(genes: Int32Array, columns: number): Int32Array {
  const places = new Int32Array(columns).fill(-1)
  for (const [at, gene] of genes.entries()) places[gene] = at
  return places
}

function queryTarget(target: readonly number[], shared: Int32Array): Int32Array {
  const places = new Map(Array.from(shared, (gene, at) => [gene, at]))
  return Int32Array.from(target, (gene) => places.get(gene) ?? -1)
}

/** What the atlas says of its genes, then what only the query says of them. */
async function jointVar([atlas, query]: readonly Part[], genes: JointGenes): Promise<Table> {
  const own = tableRows(await atlas!.file.genesOf(atlas!.matrix.name), genes.atlas)
  const others = tableRows(await query!.file.genesOf(query!.matrix.name), genes.query)
  const more = [...others.columns].filter(([name]) => !own.columns.has(name))
  return { ...own, columns: new Map([...own.columns, ...more]), unread: [] }
}

type Rows = (part: Part, genes: number) => AsyncIterable<RowSlab>

async function* counts({ matrix, target }: Part, genes: number): AsyncGenerator<RowSlab> {
  for await (const slab of matrix.slabs({ transient: true })) yield alignRows(slab, { target, genes })
}

function logs({ matrix, target, file }: Part, genes: number): AsyncIterable<RowSlab> {
  return normalisedRows(matrix, { from: 'counts', genes: { target, genes }, place: file.place })
}

function matrixOf(parts: readonly Part[], { genes, rows }: { genes: number; rows: Rows }): MatrixToWrite {
  return {
    rows: parts.reduce((sum, { matrix }) => sum + matrix.rows, 0),
    columns: genes,
    type: 'float32',
    stored: parts.reduce((sum, { matrix }) => sum + Math.min(matrix.stored, matrix.rows * genes), 0),
    async *slabs() {
      let first = 0
      for (const part of parts) {
        for await (const slab of rows(part, genes)) yield { ...slab, start: first + slab.start }
        first += part.matrix.rows
      }
    },
  }
}

function leftBehind(opened: readonly Source[]): ErrorReport[] {
  return opened.flatMap(({ file, role, matrix }) => {
    const groups = isAnnData(file)
      ? (['obsm', 'varm', 'obsp', 'varp', 'uns'] as const).flatMap((group) =>
          file.namesIn(group).map((name) => `${group}/${name}`),
        )
      : []
    const names = [...file.matrices.filter((name) => name !== matrix), ...groups]
    if (names.length === 0) return []
    const shown = names.slice(0, 30).join(', ')
    const more = names.length > 30 ? ` and ${names.length - 30} more` : ''
    return [
      {
        code: 'NOT_CARRIED_OVER',
        place: role,
        problem: `what is of its own cells alone is not in the joint file: ${shown}${more}`,
        remedy: 'It is still in the file that was given',
      },
    ]
  })
}
