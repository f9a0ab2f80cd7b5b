/**
 * The genes of one file under Ensembl ids, wherever it keeps them: as the names of var, as the CELLxGENE schema does, or in a column, as
 * files do whose names are symbols or numbers. Versions of ids are cut off, so that files of two releases of Ensembl have one gene.
 *
 * Trap: names are Ensembl ids where most of them are; the others (spike-ins, constructs) keep their names.
 */
import type { Table } from '../data/cells.ts'
import { columnTexts } from '../data/column-texts.ts'
import { referenceNames } from '../job/reference-names.ts'
import { ensemblId } from '../knowledge/gene-ids.ts'

export interface FileGenes {
  /** of each gene of the file; not each once */
  ids: string[]
  /** where they were: null for the names of var */
  column: string | null
  isEnsembl: boolean
  /** the columns of var, with `feature_name` where something else than the id tells a name */
  table: Table
}

const columns = ['feature_id', 'ensembl_id', 'gene_ids', 'gene_id', 'ensembl', 'ensembl_gene_id', 'id']
const names = ['feature_name', 'gene_symbols', 'gene_symbol', 'gene_name', 'symbol']
const leastShare = 0.5

export function fileGenes(table: Table): FileGenes {
  const byName = new Map([...table.columns.keys()].map((name) => [name.toLowerCase(), name]))
  const candidates: (string | null)[] = [null, ...columns.flatMap((name) => byName.get(name) ?? [])]
  for (const column of candidates) {
    const texts = column === null ? table.index : columnTexts(table.columns.get(column)!)
    const found = texts && idsOf(texts, table.index)
    if (found === undefined) continue
    const named = column === null ? withSymbols(table, byName) : withNames(table, byName)
    return { ids: found, column, isEnsembl: true, table: named }
  }
  return { ids: table.index, column: null, isEnsembl: false, table }
}

/** undefined where most of them are no Ensembl ids; what has none keeps the name of var. */
function idsOf(texts: readonly string[], index: readonly string[]): string[] | undefined {
  let known = 0
  const ids = texts.map((text, gene) => {
    const id = ensemblId(text)
    if (id !== undefined) known++
    return id ?? (text || index[gene]!)
  })
  return known > 0 && known >= leastShare * texts.length ? ids : undefined
}

/** What the names of var were before ids took their place, unless they are numbers. */
function withNames(table: Table, byName: ReadonlyMap<string, string>): Table {
  const symbols = withSymbols(table, byName)
  if (symbols.columns.has(referenceNames.var.name) || table.index.every((name) => /^\d+$/.test(name)))
    return symbols
  return withColumn(table, [...table.index])
}

function withSymbols(table: Table, byName: ReadonlyMap<string, string>): Table {
  const { name } = referenceNames.var
  if (table.columns.has(name)) return table
  const other = names.flatMap((one) => byName.get(one) ?? [])[0]
  const texts = other === undefined ? undefined : columnTexts(table.columns.get(other)!)
  return texts === undefined ? table : withColumn(table, texts)
}

function withColumn(table: Table, values: string[]): Table {
  const own = new Map(table.columns)
  own.set(referenceNames.var.name, { kind: 'string', values })
  return { ...table, columns: own }
}
