/**
 * The datasets that a reference is of, with what has to be cited: as the file itself tells, since the catalogue is asked for a query only.
 * A file that was taken whole speaks of itself; one that was put together lists its parts in uns.
 */
import type { AnnDataFile } from '../../data/anndata/file.ts'
import type { CellFile } from '../../data/cells.ts'
import { isAnnData } from '../../data/copy-cells.ts'
import { referenceNames } from '../../job/reference-names.ts'
import type { FoundCells } from './prepare.ts'

export interface ToldDataset {
  id: string
  version: string
  title: string
  collection: string
  doi: string
  citation: string
  cells: number
}

/** Of CELLxGENE; none where the cells are from elsewhere. */
export async function toldDatasets(file: CellFile, { files, chosen }: FoundCells): Promise<ToldDataset[]> {
  const parts = chosen.files.map((one) => ({ ...one, dataset: files[one.file]?.dataset ?? null }))
  const said = isAnnData(file) ? await textsOf(file, chosen.whole) : noTexts
  return parts.flatMap(({ dataset, cells }, at) => {
    if (dataset === null) return []
    const version = said.versions[at] || dataset.version || ''
    return [
      {
        ...{ id: dataset.id, version, cells },
        title: said.titles[at] || dataset.title || '',
        collection: dataset.collection ?? '',
        doi: dataset.doi ?? '',
        citation: said.citations[at] || dataset.citation || '',
      },
    ]
  })
}

interface Texts {
  versions: readonly string[]
  titles: readonly string[]
  citations: readonly string[]
}

const noTexts: Texts = { versions: [], titles: [], citations: [] }

async function textsOf(file: AnnDataFile, whole: boolean): Promise<Texts> {
  const uns = new Set(file.namesIn('uns'))
  const texts = async (name: string): Promise<readonly string[]> => {
    if (!uns.has(name)) return []
    const element = await file.unstructured(name)
    return element.kind === 'text' ? element.values : []
  }
  if (whole) return { versions: [], titles: await texts('title'), citations: await texts('citation') }
  const { provenance } = referenceNames.uns
  if (!uns.has(provenance)) return noTexts
  const told = await file.unstructured(provenance)
  const entry = (name: string): readonly string[] => {
    const found = told.kind === 'dict' ? told.entries.get(name) : undefined
    return found?.kind === 'text' ? found.values : []
  }
  return {
    versions: entry('dataset_versions'),
    titles: entry('dataset_titles'),
    citations: entry('dataset_citations'),
  }
}
