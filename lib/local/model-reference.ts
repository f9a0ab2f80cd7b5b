/** Of `import-model --reference-cells`: the cells that a model of scvi-tools was made with, read from their file, placed by the model, and kept with it. */
import { openCells } from '../data/open-cells.ts'
import { BadInput } from '../job/errors.ts'
import { withReference } from '../models/network-model.ts'
import { isNetwork, type StoredModel } from '../models/stored-model.ts'
import { placeAtlas } from '../workflows/parts/place-atlas.ts'
import type { Flag, Invocation } from './command.ts'
import type { FoundModel } from './model-source.ts'

export const referenceFlags = {
  'reference-cells': {
    type: 'string',
    value: 'ATLAS',
    describe:
      'also keep the cells that a scVI or SCANVI was trained on, to label others by: the file with their raw counts (h5ad, 10x or zarr; a path, s3:// or an address)',
  },
  'label-columns': {
    type: 'string',
    value: 'A,B',
    describe: "obs columns of ATLAS with labels, separated by commas; without it the model's own",
  },
  'batch-column': {
    type: 'string',
    value: 'COLUMN',
    describe: "obs column of ATLAS with the batch; without it the model's own",
  },
  'counts-layer': {
    type: 'string',
    value: 'NAME',
    describe: 'layer of ATLAS with the raw counts; without it they are looked for',
  },
  'gene-column': {
    type: 'string',
    value: 'COLUMN',
    describe: 'var column of ATLAS with the names of genes; without it they are looked for',
  },
} as const satisfies Record<string, Flag>

const command = 'celldrop import-model'
const mostColumns = 21

/**
 * The model as it was found, or with its cells.
 * @throws BadInput USAGE, REFERENCE_CELLS_MODEL for a model that places no cells, and what `placeAtlas` and reading throw
 */
export async function withReferenceCells(
  { model, notices }: FoundModel,
  { flags, options, progress, listenForStop }: Invocation,
): Promise<FoundModel> {
  const told = (name: keyof typeof referenceFlags) => {
    const value = flags[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const atlas = told('reference-cells')
  if (atlas === undefined) {
    refuseAlone(Object.keys(referenceFlags).filter((name) => flags[name] !== undefined))
    return { model, notices }
  }
  const network = requireNetwork(model, atlas)
  const columns = columnsOf(told('label-columns'), network.card.setup.labels.column)
  const signal = listenForStop()
  const file = await openCells(atlas, options.open)
  try {
    progress(`placing the ${file.rows} cells of ${atlas}`)
    const choices = {
      batchColumn: told('batch-column'),
      countsLayer: told('counts-layer'),
      geneColumn: told('gene-column'),
    }
    const placed = await placeAtlas(file, {
      ...Object.fromEntries(Object.entries(choices).filter(([, value]) => value !== undefined)),
      ...{ network, columns, signal, batchSetting: '--batch-column', columnsSetting: '--label-columns' },
    })
    return {
      model: withReference(network, placed.reference),
      notices: [...notices, ...placed.notices],
    }
  } finally {
    await file.close()
  }
}

function refuseAlone(given: readonly string[]): void {
  if (given.length === 0) return
  const problem = `--${given[0]} says something of reference cells, and there are none`
  throw new BadInput('USAGE', command, problem, 'Give their file with --reference-cells')
}

function requireNetwork(model: StoredModel, atlas: string) {
  if (isNetwork(model)) return model
  throw new BadInput(
    'REFERENCE_CELLS_MODEL',
    atlas,
    `the model "${model.card.name}" is a linear one, which places no cells`,
    'Leave out --reference-cells, or import a scVI or SCANVI',
  )
}

function columnsOf(told: string | undefined, own: string | null): string[] {
  const columns = told === undefined ? [own ?? ''] : told.split(',').map((column) => column.trim())
  const named = columns.filter((column) => column !== '')
  const remedy = 'Name up to 21 obs columns: --label-columns cell_type,cell_subtype'
  if (named.length === 0)
    throw new BadInput('USAGE', command, 'nothing says which columns label the reference cells', remedy)
  if (named.length > mostColumns)
    throw new BadInput('USAGE', command, `${named.length} label columns are too many`, remedy)
  return named
}
