/**
 * The cells that a network was made with, kept beside its weights: where they lie in its latent space, and the labels that obs has for them. Cells
 * that come later are labelled by those among which they lie.
 *
 * They are files of their own, so that a job that only embeds fetches none of them. Trap: labels come out of files and may be called anything;
 * they stand in lists and are never keys of an object.
 */
import { BadInput } from '../job/errors.ts'
import { sha256 } from './model-card.ts'
import { corrupt } from './model-errors.ts'
import { mostWeightBytes, type NetworkCard } from './network-card.ts'

/** A column of obs of the reference, as labels to transfer. */
export interface ReferenceColumn {
  column: string
  categories: readonly string[]
  /** of each cell; -1 where it has none */
  codes: Int32Array
}

export interface ReferenceCells {
  cells: number
  /** cells x latent, means of the posterior; finite */
  latent: Float32Array
  /** the first is what the model was taught, where it was taught labels */
  columns: readonly ReferenceColumn[]
}

type Described = Pick<NetworkCard, 'reference'> & {
  blobs: Pick<NetworkCard['blobs'], 'referenceLatent' | 'referenceLabels'>
}

const latentFile = 'reference-latent.f32'
const labelsFile = 'reference-labels.i32'

/** What the card says of them. @throws BadInput MODEL_TOO_LARGE, MODEL_CORRUPT, MODEL_NOT_FINITE */
export function describeReference(
  reference: ReferenceCells,
  { place, latent }: { place: string; latent: number },
): Described {
  const { cells, columns } = reference
  if (!fitsReference({ cells, latent, columns: columns.length }))
    throw new BadInput(
      'MODEL_TOO_LARGE',
      place,
      `the places of ${cells} cells of its reference are more than ${mostWeightBytes} bytes`,
      'Keep fewer of them, or none (keep_cells: false)',
    )
  checkReference(reference, { place, latent })
  const labels = labelBytes(reference)
  const places = bytesOf(reference.latent)
  return {
    reference: {
      cells,
      columns: columns.map(({ column, categories }) => ({ column, categories: [...categories] })),
    },
    blobs: {
      referenceLatent: { bytes: places.length, sha256: sha256(places), dtype: 'float32' },
      ...(columns.length > 0 && {
        referenceLabels: { bytes: labels.length, sha256: sha256(labels), dtype: 'int32' as const },
      }),
    },
  }
}

/** Whether so many can be kept. */
export function fitsReference({
  cells,
  latent,
  columns,
}: {
  cells: number
  latent: number
  columns: number
}): boolean {
  return 4 * cells * Math.max(latent, columns) <= mostWeightBytes
}

/** The files that lie beside the card. */
export function referenceFiles(reference: ReferenceCells): { name: string; bytes: Uint8Array }[] {
  return [
    { name: latentFile, bytes: bytesOf(reference.latent) },
    ...(reference.columns.length > 0 ? [{ name: labelsFile, bytes: labelBytes(reference) }] : []),
  ]
}

/**
 * The cells that the card says there are, compared with it; undefined where it says of none.
 * @param read exactly so many bytes of the file of that name beside the card
 * @throws BadInput MODEL_CORRUPT, MODEL_NOT_FINITE
 */
export async function readReference(
  { reference, blobs, shape }: NetworkCard,
  { read, place }: { read(file: string, size: number): Promise<Uint8Array>; place: string },
): Promise<ReferenceCells | undefined> {
  if (reference === undefined) return undefined
  const checked = async (file: string, blob: { bytes: number; sha256: string }) => {
    const bytes = await read(file, blob.bytes)
    if (sha256(bytes) !== blob.sha256) throw corrupt(place, `${file} is not what the card says`)
    return new Uint8Array(bytes).buffer
  }
  const { cells } = reference
  const latent = new Float32Array(await checked(latentFile, blobs.referenceLatent!))
  const codes =
    blobs.referenceLabels === undefined
      ? new Int32Array()
      : new Int32Array(await checked(labelsFile, blobs.referenceLabels))
  const columns = reference.columns.map(({ column, categories }, i) => ({
    ...{ column, categories },
    codes: codes.slice(i * cells, (i + 1) * cells),
  }))
  const found = { cells, latent, columns }
  checkReference(found, { place, latent: shape.latent })
  return found
}

/** A model without such cells was asked for them. */
export function referenceMissing(name: string, place: string): BadInput {
  return new BadInput(
    'REFERENCE_CELLS_MISSING',
    place,
    `the model "${name}" keeps no cells of its reference`,
    'fit-reference keeps them unless keep_cells is false; an imported model gets them by "celldrop import-model MODEL --reference-cells ATLAS --label-columns a,b"',
  )
}

function checkReference(
  { cells, latent, columns }: ReferenceCells,
  { place, latent: width }: { place: string; latent: number },
): void {
  if (latent.length !== cells * width)
    throw corrupt(place, `its reference has ${latent.length} numbers and not ${cells} x ${width}`)
  const broken = latent.findIndex((value) => !Number.isFinite(value))
  if (broken >= 0)
    throw new BadInput(
      'MODEL_NOT_FINITE',
      place,
      `cell ${Math.floor(broken / width) + 1} of its reference lies at what is no number`,
      'Make or import the model again',
    )
  for (const { column, categories, codes } of columns) {
    if (codes.length !== cells)
      throw corrupt(place, `${codes.length} of ${cells} cells of its reference have a place in "${column}"`)
    if (codes.some((code) => code < -1 || code >= categories.length))
      throw corrupt(place, `a cell of its reference has a label that "${column}" does not have`)
  }
}

function bytesOf(values: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/** Columns x cells. */
function labelBytes({ columns }: ReferenceCells): Uint8Array {
  return Buffer.concat(columns.map(({ codes }) => bytesOf(codes)))
}
