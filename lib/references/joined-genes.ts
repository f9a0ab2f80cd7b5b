/**
 * The genes of several files as one list: all that any of them has, in the order in which they are first met, with what the first file that
 * has a gene says of it. A gene that a file lacks is zero in its cells, as in the Census, and which file measured which gene is kept.
 */
import type { Table } from '../data/cells.ts'
import { joinTables } from '../data/join-tables.ts'
import { tableRows } from '../data/table-rows.ts'
import type { ErrorReport } from '../job/errors.ts'
import type { FileGenes } from './reference-genes.ts'

export interface JoinedGenes {
  table: Table
  /** of each file, for each of its genes the joined one */
  targets: Int32Array[]
  /** genes x files, row-major, 0 or 1 */
  presence: Uint8Array
  notices: ErrorReport[]
}

export interface NamedGenes {
  /** the file, for messages */
  name: string
  genes: FileGenes
}

export function joinGenes(files: readonly NamedGenes[]): JoinedGenes {
  const numbers = new Map<string, number>()
  const parts: Table[] = []
  const notices: ErrorReport[] = []
  const targets = files.map(({ name, genes }) => {
    const before = numbers.size
    const fresh: number[] = []
    const target = Int32Array.from(genes.ids, (id, gene) => {
      const known = numbers.get(id)
      if (known !== undefined) return known
      fresh.push(gene)
      numbers.set(id, before + fresh.length - 1)
      return before + fresh.length - 1
    })
    parts.push(tableRows(columnsToKeep(genes.table, files.length > 1), Int32Array.from(fresh)))
    const twice = target.length - new Set(target).size
    if (twice > 0) notices.push(summed(name, twice))
    return target
  })
  const others = files.filter(({ genes }) => !genes.isEnsembl)
  if (others.length > 0) notices.push(noIds(others, files.length))
  const joined = joinTables(parts)
  for (const { name, reason } of joined.leftOut) notices.push(leftOut(name, reason))
  return {
    table: { ...joined.table, index: [...numbers.keys()] },
    targets,
    presence: presenceOf(targets, numbers.size),
    notices,
  }
}

/** Of several files only what says something of the gene itself, not of how one file used it. */
function columnsToKeep(table: Table, areSeveral: boolean): Table {
  if (!areSeveral) return table
  const kept = [...table.columns].filter(
    ([name]) => name.startsWith('feature_') && name !== 'feature_is_filtered',
  )
  return { ...table, columns: new Map(kept), unread: [] }
}

function presenceOf(targets: readonly Int32Array[], genes: number): Uint8Array {
  const presence = new Uint8Array(genes * targets.length)
  for (const [file, target] of targets.entries())
    for (const gene of target) presence[gene * targets.length + file] = 1
  return presence
}

function summed(place: string, twice: number): ErrorReport {
  const problem = `${twice} genes of it have the id of another: the counts of equal ids were added up`
  return { code: 'GENES_SUMMED', place, problem, remedy: 'Nothing to do if they are one gene' }
}

function noIds(others: readonly NamedGenes[], files: number): ErrorReport {
  const place = others.map(({ name }) => name)[0]!
  const problem =
    files === 1
      ? 'it names no Ensembl ids: genes keep the names that they have'
      : `${others.length} of ${files} files name no Ensembl ids: their genes keep their names, and meet those of other files only where these are the same`
  const remedy = 'Put the ids into the column "feature_id" of var where genes have to be joined'
  return { code: 'GENES_WITHOUT_IDS', place, problem, remedy }
}

function leftOut(name: string, reason: string): ErrorReport {
  const remedy = 'Look into the files themselves for it'
  return {
    code: 'REFERENCE_PART_LEFT_OUT',
    place: `var/${name}`,
    problem: `it was left out: ${reason}`,
    remedy,
  }
}
