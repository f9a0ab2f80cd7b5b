/**
 * What the genes of human and mouse are called: Ensembl id and symbol (GENCODE), for human also former symbols and aliases (HGNC).
 * A former name or alias counts only when it can mean one gene: CD20 was MS4A1, but B1 is an alias of several genes.
 * Genes without a symbol are not in the tables; their ids still match ids.
 */
import type { About } from './data-file.ts'
import { keepOnce, readData, unpackRising } from './data-file.ts'

export type Species = 'Homo sapiens' | 'Mus musculus'

/** Models say their organism in words; of others than these two there is no table of genes. */
export function speciesOf(organism: string): Species | null {
  return organism === 'Homo sapiens' || organism === 'Mus musculus' ? organism : null
}

export interface CurrentName {
  symbol: string
  kind: 'previous' | 'alias'
}

export interface GeneTable {
  species: Species
  about: About
  /** every symbol of today, once, in the order of the Ensembl ids */
  symbols(): readonly string[]
  /** symbol of an Ensembl gene id without version */
  symbolOf(id: string): string | undefined
  /** Ensembl ids that bear a symbol, several for about one in a hundred; none when the symbol is unknown */
  idsOf(symbol: string): readonly string[]
  /** the symbol of today for a former one or an alias that means one gene only and is no symbol of today itself */
  currentOf(name: string): CurrentName | undefined
  /** the symbol that equals this name but for upper and lower case, when it is one */
  foldedSymbol(name: string): string | undefined
}

const files = {
  'Homo sapiens': { file: 'genes-human.json.br', prefix: 'ENSG' },
  'Mus musculus': { file: 'genes-mouse.json.br', prefix: 'ENSMUSG' },
} as const

/** The table of a species: read once per process, about 0.1 s and 50 MB. */
export const loadGenes: (species: Species) => Promise<GeneTable> = keepOnce(readTable)

async function readTable(species: Species): Promise<GeneTable> {
  const { file, prefix } = files[species]
  const data = await readData<'ids' | 'symbols' | 'previous' | 'aliases'>(file)
  const symbols = data.symbols.split('\n')
  const symbolOf = new Map<string, string>()
  const idsOf = new Map<string, string[]>()
  for (const [row, number] of unpackRising(data.ids).entries()) {
    const id = prefix + String(number).padStart(11, '0')
    const symbol = symbols[row]!
    symbolOf.set(id, symbol)
    const ids = idsOf.get(symbol)
    if (ids === undefined) idsOf.set(symbol, [id])
    else ids.push(id)
  }
  const previous = ownersOf(data.previous ?? '', symbols)
  const aliases = ownersOf(data.aliases ?? '', symbols)
  let folded: Map<string, string | null> | undefined
  return {
    species,
    about: data.about,
    symbols: () => [...idsOf.keys()],
    symbolOf: (id) => symbolOf.get(id),
    idsOf: (symbol) => idsOf.get(symbol) ?? [],
    currentOf(name) {
      if (idsOf.has(name)) return undefined
      // a name that was one gene's symbol and is another's alias may mean either
      const [was, also] = [previous.get(name), aliases.get(name)]
      if (was === null || also === null) return undefined
      if (was !== undefined)
        return also === undefined || also === was ? { symbol: was, kind: 'previous' } : undefined
      return also === undefined ? undefined : { symbol: also, kind: 'alias' }
    },
    foldedSymbol(name) {
      folded ??= foldCase(idsOf.keys())
      return folded.get(name.toLowerCase()) ?? undefined
    },
  }
}

/** Symbol by other name; null where several genes have it. */
function ownersOf(lines: string, symbols: string[]): Map<string, string | null> {
  const owners = new Map<string, string | null>()
  for (const [row, line] of lines.split('\n').entries()) {
    if (line === '') continue
    for (const name of line.split('|')) {
      const owner = owners.get(name)
      owners.set(name, owner === undefined || owner === symbols[row] ? symbols[row]! : null)
    }
  }
  return owners
}

function foldCase(symbols: Iterable<string>): Map<string, string | null> {
  const folded = new Map<string, string | null>()
  for (const symbol of symbols) {
    const key = symbol.toLowerCase()
    folded.set(key, folded.has(key) ? null : symbol)
  }
  return folded
}
