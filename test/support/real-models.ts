/** CellTypist models that lie beside the repository, imported into the model store of an installation; and tables of what they gave. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { Stores } from '../../lib/job/stores.ts'
import { saveModel } from '../../lib/models/bundle.ts'
import { importCelltypist } from '../../lib/models/celltypist-import.ts'
import { sharedPath } from './shared.ts'

const files = {
  'pbmc-sorted': 'golden/celltypist/pbmc_sorted_lr.pkl',
  lung31: 'data/models/celltypist_lung31_popv.pkl',
}
export type RealModel = keyof typeof files

/** @returns the labels, in the model's order */
export async function importRealModel({ models }: Stores, name: RealModel): Promise<string[]> {
  const { model } = importCelltypist(readFileSync(sharedPath(files[name])), {
    name,
    organism: 'Homo sapiens',
    licence: 'unknown',
    source: 'a file beside the repository',
    ontology: new Map(),
    created: '2026-11-21T00:00:00Z',
  })
  await saveModel(models, model)
  return model.card.labels
}

/** A gzipped csv by heading; fields may be quoted and then hold commas. */
export function goldenTable(name: string): Map<string, string[]> {
  const text = gunzipSync(readFileSync(sharedPath('golden', name))).toString()
  const [header = [], ...rows] = text
    .trimEnd()
    .split(/\r?\n/)
    .map((line) =>
      [...line.matchAll(/("[^"]*"|[^,]*)(?:,|$)/g)]
        .map(([, field = '']) => field.replace(/^"|"$/g, ''))
        .slice(0, -1),
    )
  return new Map(header.map((name, column) => [name, rows.map((row) => row[column]!)]))
}
