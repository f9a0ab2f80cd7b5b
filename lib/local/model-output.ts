/** A model as the files that others read: CellTypist's, or the model directory of scvi-tools. All of them are written or none, and none over another. */
import { basename, dirname } from 'node:path'
import { AlreadyExists, BadInput } from '../job/errors.ts'
import { openStore } from '../job/open-store.ts'
import type { LinearModel } from '../models/linear-model.ts'
import type { NetworkModel } from '../models/network-model.ts'
import { exportScvi } from '../models/scvi-export.ts'
import { filesOfModel } from '../workflows/parts/model-files.ts'

/**
 * OUT.pkl with OUT_celltypist.json and OUT_colors.json beside it.
 * @returns paths of what was written
 * @throws AlreadyExists OBJECT_EXISTS
 */
export async function writeForCelltypist(model: LinearModel, path: string): Promise<string[]> {
  const { key } = splitPath(path)
  const stem = key.replace(/\.pkl$/i, '')
  const files = filesOfModel(model).map(({ name, bytes }) => ({
    key: `${stem}${name.slice(model.card.name.length)}`,
    bytes,
  }))
  return writeNew(files, path)
}

/**
 * DIR/model.pt, or the file itself where its name ends so.
 * @returns paths of what was written
 * @throws AlreadyExists OBJECT_EXISTS; BadInput MODEL_DECODER, USAGE for a name that is CellTypist's
 */
export async function writeForScviTools({ model }: NetworkModel, path: string): Promise<string[]> {
  if (/\.(?:pkl|json|h5ad)$/i.test(path))
    throw new BadInput('USAGE', path, 'this model is written as model.pt of a folder', 'Name a folder')
  const file = path.endsWith('model.pt') ? path : `${path.replace(/\/+$/, '')}/model.pt`
  return writeNew([{ key: splitPath(file).key, bytes: exportScvi(model) }], file)
}

async function writeNew(
  files: readonly { key: string; bytes: Uint8Array }[],
  path: string,
): Promise<string[]> {
  const { place, key } = splitPath(path)
  const store = await openStore(place)
  for (const file of files)
    if ((await store.head(file.key)) !== undefined)
      throw new AlreadyExists(
        'OBJECT_EXISTS',
        `${place}/${file.key}`,
        'there is such a file already',
        'Choose another name',
      )
  for (const file of files) await store.write(file.key, file.bytes, { onlyIfAbsent: true })
  return files.map((file) => `${path.slice(0, path.length - key.length)}${file.key}`)
}

/** The store that a file lies in, and its key there. */
function splitPath(path: string): { place: string; key: string } {
  const [, bucket, key] = /^(s3:\/\/[^/]+)\/(.+)$/i.exec(path) ?? []
  return bucket !== undefined && key !== undefined
    ? { place: bucket, key }
    : { place: dirname(path), key: basename(path) }
}
