/**
 * Makes the gene tables of lib/knowledge/data from their sources: `node scripts/knowledge/build-genes.ts FOLDER`, where FOLDER holds
 *   cxg_gencode_genes_homo_sapiens.csv.gz, cxg_gencode_genes_mus_musculus.csv.gz   id, symbol, version, length, biotype (GENCODE)
 *   hgnc_complete_set.txt.gz                                                      former symbols and aliases (HGNC)
 *   Ensembl105_Human2Mouse_Genes.csv                                              human symbol, mouse symbol
 * Genes that GENCODE gives no symbol (it repeats the id there) are left out: their id alone says all that is known of them.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import type { About } from '../../lib/knowledge/data-file.ts'
import { dataFolder, folderArgument, packInto, packRising } from './pack.ts'

type Source = About['sources'][number]

const gencode = (file: string, species: string): Source => ({
  file,
  what: `Ensembl gene ids and symbols of ${species} (GENCODE)`,
  release: 'as of single-cell-curation commit 65b419f55c40',
  origin: 'https://github.com/chanzuckerberg/single-cell-curation',
  licence: 'MIT (the repository); GENCODE is open data of EMBL-EBI',
})
const hgncSource: Source = {
  file: 'hgnc_complete_set.txt.gz',
  what: 'former symbols and aliases of human genes (HGNC complete set)',
  release: '2020-05-27, the last date_modified in it',
  origin: 'https://github.com/chanzuckerberg/cellxgene, blob 29c3c7a9; https://www.genenames.org',
  licence: 'MIT (the repository); HGNC puts its data in the public domain (CC0)',
}
const orthologueSource: Source = {
  file: 'Ensembl105_Human2Mouse_Genes.csv',
  what: 'orthologous symbols of human and mouse (Ensembl Compara)',
  release: 'Ensembl 105, December 2021',
  origin: 'https://github.com/Teichlab/celltypist commit fe357564a662',
  licence: 'MIT (the repository); Ensembl sets no restriction',
}

interface Gene {
  id: string
  number: number
  symbol: string
}

export async function buildGenes(folder: string): Promise<Record<string, unknown>> {
  const human = await readGencode(folder, { file: 'cxg_gencode_genes_homo_sapiens.csv.gz', prefix: 'ENSG' })
  const mouse = await readGencode(folder, {
    file: 'cxg_gencode_genes_mus_musculus.csv.gz',
    prefix: 'ENSMUSG',
  })
  const names = await readHgnc(folder, human)
  const humanFile = 'cxg_gencode_genes_homo_sapiens.csv.gz'
  const mouseFile = 'cxg_gencode_genes_mus_musculus.csv.gz'
  return {
    'genes-human.json.br': {
      about: {
        sources: [gencode(humanFile, 'Homo sapiens'), hgncSource],
        counts: { genes: human.length, previous: count(names.previous), aliases: count(names.aliases) },
      },
      ...columnsOf(human),
      previous: names.previous.join('\n'),
      aliases: names.aliases.join('\n'),
    },
    'genes-mouse.json.br': {
      about: { sources: [gencode(mouseFile, 'Mus musculus')], counts: { genes: mouse.length } },
      ...columnsOf(mouse),
    },
    'orthologues.json.br': await readOrthologues(folder),
  }
}

const count = (lists: string[]) =>
  lists.reduce((sum, list) => sum + (list === '' ? 0 : list.split('|').length), 0)

const columnsOf = (genes: Gene[]) => ({
  ids: packRising(genes.map((gene) => gene.number)),
  symbols: genes.map((gene) => gene.symbol).join('\n'),
})

async function readLines(path: string): Promise<string[]> {
  const bytes = await readFile(path)
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  return text.split(/\r?\n/).filter((line) => line !== '')
}

async function readGencode(folder: string, from: { file: string; prefix: string }): Promise<Gene[]> {
  const genes: Gene[] = []
  for (const line of await readLines(join(folder, from.file))) {
    const [id = '', symbol = ''] = line.split(',')
    if (id !== symbol && symbol !== '')
      genes.push({ id, number: Number(id.slice(from.prefix.length)), symbol })
  }
  return genes.sort((a, b) => a.number - b.number)
}

/** Former names and aliases by row of `genes`, at the first gene that bears the symbol. */
async function readHgnc(folder: string, genes: Gene[]) {
  const rowOfId = new Map(genes.map((gene, row) => [gene.id, row]))
  const rowOfSymbol = new Map<string, number>()
  for (const [row, { symbol }] of genes.entries()) if (!rowOfSymbol.has(symbol)) rowOfSymbol.set(symbol, row)
  const [header = '', ...lines] = await readLines(join(folder, 'hgnc_complete_set.txt.gz'))
  const names = header.split('\t')
  const previous = genes.map(() => new Set<string>())
  const aliases = genes.map(() => new Set<string>())
  for (const line of lines) {
    const values = line.split('\t')
    const field = (name: string) => (values[names.indexOf(name)] ?? '').replaceAll('"', '')
    if (field('status') !== 'Approved') continue
    const byId = rowOfId.get(field('ensembl_gene_id'))
    const current = byId === undefined ? field('symbol') : genes[byId]!.symbol
    const row = rowOfSymbol.get(current)
    if (row === undefined) continue
    // a symbol that HGNC approved then and GENCODE no longer uses has become a former one
    for (const old of [field('symbol'), ...field('prev_symbol').split('|')])
      if (old !== '' && old !== current) previous[row]!.add(old)
    for (const alias of field('alias_symbol').split('|'))
      if (alias !== '' && alias !== current) aliases[row]!.add(alias)
  }
  const joined = (sets: Set<string>[]) => sets.map((set) => [...set].sort().join('|'))
  return { previous: joined(previous), aliases: joined(aliases) }
}

/** Pairs sorted by human symbol; a mouse symbol that is the human one with a capital first letter only is written as ''. */
async function readOrthologues(folder: string) {
  const pairs = new Set<string>()
  for (const line of await readLines(join(folder, orthologueSource.file))) {
    const [human = '', mouse = ''] = line.split(',')
    if (human === '' || mouse === '') continue
    const usual = human.charAt(0) + human.slice(1).toLowerCase()
    pairs.add(`${human}\t${mouse === usual ? '' : mouse}`)
  }
  const rows = [...pairs].sort().map((pair) => pair.split('\t'))
  return {
    about: { sources: [orthologueSource], counts: { pairs: rows.length } },
    human: rows.map(([human]) => human).join('\n'),
    mouse: rows.map(([, mouse]) => mouse).join('\n'),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  await packInto(dataFolder, await buildGenes(folderArgument()))
