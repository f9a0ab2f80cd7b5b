/**
 * Makes the marker genes of lib/knowledge/data from the two tables beside this file: `node scripts/knowledge/build-markers.ts`.
 *   markers.tsv         Cell Ontology id and name, 4 to 10 genes (current symbols of human), keys of the sources
 *   marker-sources.tsv  key, first author, year, journal, DOI (empty where we are not certain of it)
 * Edit these, never the packed file. What is wrong in them stops the build: a former symbol or an id out of use would otherwise be
 * a marker that no data set has, and nobody would notice.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { About } from '../../lib/knowledge/data-file.ts'
import { loadGenes } from '../../lib/knowledge/genes.ts'
import { loadOntology } from '../../lib/knowledge/ontology.ts'
import { dataFolder, packInto } from './pack.ts'

const source: About['sources'][number] = {
  file: 'markers.tsv, marker-sources.tsv',
  what: 'marker genes of cell types, each with the publications they rest on',
  release: 'of this repository; checked against SpatialCore 0.3.0, whose 69 types are all here',
  origin: 'scripts/knowledge of this repository; the publications of marker-sources.tsv',
  licence: 'Apache-2.0',
}
export const genesPerType = { least: 4, most: 10 }

export const tablesFolder = fileURLToPath(new URL('.', import.meta.url))

export async function buildMarkers(folder: string = tablesFolder): Promise<Record<string, unknown>> {
  const types = await readTable(join(folder, 'markers.tsv'))
  const sources = await readTable(join(folder, 'marker-sources.tsv'))
  const faults = [
    ...(await faultsOfTypes(types, new Set(sources.map(({ key }) => key!)))),
    ...unused(types, sources),
  ]
  if (faults.length > 0) throw new Error(`the tables of markers have faults:\n${faults.join('\n')}`)
  types.sort((a, b) => (a.id! < b.id! ? -1 : 1))
  const column = (name: string) => types.map((row) => row[name]).join('\n')
  return {
    'markers.json.br': {
      about: {
        sources: [source],
        counts: {
          types: types.length,
          genes: new Set(types.flatMap(genesOf)).size,
          publications: sources.length,
        },
      },
      ids: column('id'),
      genes: column('genes'),
      sources: column('sources'),
      publications: sources.map(({ key, ...of }) => [key, citation(of)].join('\t')).join('\n'),
    },
  }
}

type Row = Record<string, string>

const genesOf = (row: Row) => row.genes!.split(' ')

function citation(row: Row): string {
  const doi = row.doi === '' ? '' : `, doi:${row.doi}`
  return `${row.author} ${row.year}, ${row.journal}${doi}`
}

async function readTable(path: string): Promise<Row[]> {
  const [header = '', ...lines] = (await readFile(path, 'utf8')).split(/\r?\n/).filter((line) => line !== '')
  const names = header.split('\t')
  return lines.map((line) => {
    const values = line.split('\t')
    return Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']))
  })
}

async function faultsOfTypes(types: Row[], keys: ReadonlySet<string>): Promise<string[]> {
  const [ontology, human] = await Promise.all([loadOntology(), loadGenes('Homo sapiens')])
  const faults: string[] = []
  const seen = new Map<string, string>()
  for (const row of types) {
    const genes = genesOf(row)
    const fault = (text: string) => faults.push(`${row.id} ${row.name}: ${text}`)
    if (ontology.byId.get(row.id!)?.name !== row.name)
      fault(`the ontology has ${ontology.byId.get(row.id!)?.name ?? 'no such term in use'}`)
    if (genes.length < genesPerType.least || genes.length > genesPerType.most) fault(`${genes.length} genes`)
    if (new Set(genes).size < genes.length) fault('a gene twice')
    for (const gene of genes)
      if (human.idsOf(gene).length === 0)
        fault(`${gene} is no symbol of today; ${human.currentOf(gene)?.symbol ?? 'unknown'} is`)
    for (const one of [row.id!, [...genes].sort().join(' ')]) {
      if (seen.has(one)) fault(`the same as ${seen.get(one)}`)
      seen.set(one, row.name!)
    }
    for (const key of row.sources!.split(' ')) if (!keys.has(key)) fault(`no source "${key}"`)
  }
  return faults
}

function unused(types: Row[], sources: Row[]): string[] {
  const used = new Set(types.flatMap((row) => row.sources!.split(' ')))
  return sources.filter(({ key }) => !used.has(key!)).map(({ key }) => `source "${key}" is not used`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await packInto(dataFolder, await buildMarkers())
