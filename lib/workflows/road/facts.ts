/** What InspectInput left, for the Lambdas after it: a file of its own, so that these do not carry the readers of files. */
import type { Table } from '../../data/cells.ts'
import { columnTexts } from '../../data/column-texts.ts'
import type { FactsPart } from '../../job/road.ts'
import { readJson } from '../../job/steps.ts'
import type { ObjectStore } from '../../job/store.ts'
import type { InputFacts } from '../workflow.ts'

/** Names that the genes of an input could go by: the index of var and its columns of text. */
export interface GeneNames {
  column: string | null
  names: string[]
}

export async function readFacts(work: ObjectStore, part: FactsPart): Promise<InputFacts> {
  const facts = await readJson<InputFacts>(work, part.key)
  if (facts === undefined) throw new Error(`no facts at ${part.key}`)
  return facts
}

export async function readGeneNames(work: ObjectStore, part: FactsPart): Promise<GeneNames[]> {
  const names = await readJson<GeneNames[]>(work, part.key.replace(/facts\.json$/, 'genes.json'), 512 << 20)
  if (names === undefined) throw new Error(`no gene names beside ${part.key}`)
  return names
}

/** The index of var, and its columns that may name genes. */
export function geneNames(table: Table): GeneNames[] {
  const candidates: GeneNames[] = [{ column: null, names: table.index }]
  for (const [column, content] of table.columns) {
    const names = columnTexts(content)
    // a column of constants or of a few categories names no genes
    if (names !== undefined && new Set(names).size * 2 > names.length) candidates.push({ column, names })
  }
  return candidates
}
