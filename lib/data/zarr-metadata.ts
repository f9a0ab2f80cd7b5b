/**
 * The documents of zarr nodes, formats 2 and 3, brought to one description of an array.
 * What a document declares is believed only as far as sizes are safe; bytes are checked against it when they are read.
 */
import { z } from 'zod'
import type { Attributes, AttributeValue } from './tree.ts'
import { encodeFill } from './zarr-fill.ts'
import { metadataError, unsupported, type ZarrLimits } from './zarr-limits.ts'
import { isRecord, numpyType, type StoredType, zarrType } from './zarr-types.ts'

export interface Codec {
  name: string
  configuration: Record<string, unknown>
}

export interface ZarrArray {
  path: string
  /** the document it comes from, for messages */
  place: string
  attributes: Attributes
  shape: number[]
  /** what is decoded at once */
  chunks: number[]
  type: StoredType
  /** one item of an absent chunk; undefined where the document's value is not understood */
  fill: Uint8Array | string | undefined
  /** axes of a stored chunk, slowest first */
  order: number[]
  /** bytes to bytes, first applied first when written */
  codecs: Codec[]
  /** chunks packed into larger objects */
  shard?: { shape: number[]; indexCodecs: Codec[]; indexAt: 'start' | 'end' }
  /** key of a chunk, or of a shard, below the array */
  keyOf(coordinates: number[]): string
}

const dimensions = z.array(z.int().min(0)).max(32)
const chunkDimensions = z.array(z.int().min(1)).max(32)

const codecV2 = z.looseObject({ id: z.string() })
const arrayV2 = z.object({
  zarr_format: z.literal(2),
  shape: dimensions,
  chunks: chunkDimensions,
  dtype: z.union([z.string(), z.array(z.unknown())]),
  compressor: codecV2.nullish(),
  fill_value: z.unknown(),
  order: z.enum(['C', 'F']),
  filters: z.array(codecV2).nullish(),
  dimension_separator: z.enum(['.', '/']).default('.'),
})

const codecV3 = z.union([
  z.string().transform((name): Codec => ({ name, configuration: {} })),
  z.object({ name: z.string(), configuration: z.record(z.string(), z.unknown()).default({}) }),
])
const arrayV3 = z.object({
  zarr_format: z.literal(3),
  node_type: z.literal('array'),
  shape: dimensions,
  data_type: z.union([z.string(), z.looseObject({ name: z.string() })]),
  chunk_grid: z.object({
    name: z.literal('regular'),
    configuration: z.object({ chunk_shape: chunkDimensions }),
  }),
  chunk_key_encoding: z.object({
    name: z.enum(['default', 'v2']),
    configuration: z.object({ separator: z.enum(['.', '/']).optional() }).default({}),
  }),
  fill_value: z.unknown(),
  codecs: z.array(codecV3).min(1),
  attributes: z.record(z.string(), z.unknown()).default({}),
  storage_transformers: z.array(z.unknown()).max(0).optional(),
})
const shardingV3 = z.object({
  chunk_shape: chunkDimensions,
  codecs: z.array(codecV3).min(1),
  index_codecs: z.array(codecV3).min(1),
  index_location: z.enum(['start', 'end']).default('end'),
})

interface Where {
  path: string
  place: string
}

export function parseArrayV2(document: unknown, attributes: Attributes, where: Where): ZarrArray {
  const { shape, chunks, dtype, compressor, fill_value, order, filters, dimension_separator } = parse(
    arrayV2,
    document,
    where.place,
  )
  sameRank(shape, chunks, where.place)
  const isText = filters?.[0]?.id === 'vlen-utf8'
  const type = numpyType(dtype, isText)
  const others = [...(filters ?? []).slice(isText ? 1 : 0), ...(compressor ? [compressor] : [])]
  const axes = shape.map((_, axis) => axis)
  return {
    ...where,
    attributes,
    shape,
    chunks,
    type,
    fill: encodeFill(type, fill_value),
    order: order === 'F' ? axes.reverse() : axes,
    codecs: others.map(({ id, ...configuration }) => ({ name: id, configuration })),
    keyOf: (coordinates) => coordinates.join(dimension_separator) || '0',
  }
}

export function parseArrayV3(document: unknown, attributes: Attributes, where: Where): ZarrArray {
  const { place } = where
  if (isRecord(document) && isRecord(document.chunk_grid) && document.chunk_grid.name !== 'regular') {
    throw unsupported(place, `a chunk grid of kind ${JSON.stringify(document.chunk_grid.name)}`)
  }
  const { shape, data_type, chunk_grid, chunk_key_encoding, fill_value, codecs } = parse(
    arrayV3,
    document,
    place,
  )
  const outer = chunk_grid.configuration.chunk_shape
  sameRank(shape, outer, place)
  const { name, configuration } = chunk_key_encoding
  const separator = configuration.separator ?? (name === 'default' ? '/' : '.')
  const keyOf = (coordinates: number[]): string =>
    name === 'default' ? ['c', ...coordinates].join(separator) : coordinates.join(separator) || '0'
  const sharding =
    codecs[0]?.name === 'sharding_indexed' ? parse(shardingV3, codecs[0].configuration, place) : undefined
  if (sharding !== undefined && codecs.length > 1)
    throw unsupported(place, 'shards that are packed once more')
  const chunks = sharding?.chunk_shape ?? outer
  const pipeline = splitCodecs(sharding?.codecs ?? codecs, { rank: shape.length, place })
  const type = zarrType(data_type, { isBigEndian: pipeline.isBigEndian })
  if (type.kind !== 'unsupported' && (type.kind === 'text') !== pipeline.isText) {
    throw metadataError(
      place,
      `codec "${pipeline.isText ? 'vlen-utf8' : 'bytes'}" does not go with its data type`,
    )
  }
  const array: ZarrArray = {
    ...where,
    attributes,
    shape,
    chunks,
    type,
    fill: encodeFill(type, fill_value),
    order: pipeline.order,
    codecs: pipeline.codecs,
    keyOf,
  }
  if (sharding === undefined) return array
  if (!outer.every((length, axis) => length % (chunks[axis] ?? 0) === 0)) {
    throw metadataError(place, `shards of ${outer} do not hold whole chunks of ${chunks}`)
  }
  const index = splitCodecs(sharding.index_codecs, { rank: shape.length + 1, place })
  if (index.isBigEndian || index.codecs.some((codec) => codec.name !== 'crc32c')) {
    throw unsupported(place, 'a packed shard index')
  }
  return { ...array, shard: { shape: outer, indexCodecs: index.codecs, indexAt: sharding.index_location } }
}

/** A chain of codecs is: at most one transposition, one of arrays to bytes, then bytes to bytes. */
function splitCodecs(
  codecs: Codec[],
  { rank, place }: { rank: number; place: string },
): { order: number[]; isText: boolean; isBigEndian: boolean; codecs: Codec[] } {
  let order = Array.from({ length: rank }, (_, axis) => axis)
  let rest = codecs
  if (rest[0]?.name === 'transpose') {
    order = permutation(rest[0].configuration.order, { rank, place })
    rest = rest.slice(1)
  }
  const toBytes = rest[0]
  if (toBytes?.name !== 'bytes' && toBytes?.name !== 'vlen-utf8') {
    throw unsupported(place, `the codec ${JSON.stringify(toBytes?.name ?? 'none')}`)
  }
  const isBigEndian = toBytes.configuration.endian === 'big'
  return { order, isText: toBytes.name === 'vlen-utf8', isBigEndian, codecs: rest.slice(1) }
}

function permutation(value: unknown, { rank, place }: { rank: number; place: string }): number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis)
  if (value === 'C') return axes
  if (value === 'F') return axes.reverse()
  const order = z.array(z.int()).safeParse(value).data ?? []
  const isPermutation = order.length === rank && axes.every((axis) => order.includes(axis))
  if (!isPermutation)
    throw metadataError(place, `the transposition ${JSON.stringify(value)} is none of ${rank} axes`)
  return order
}

function sameRank(shape: number[], chunks: number[], place: string): void {
  const items = shape.reduce((product, length) => product * length, 1)
  if (shape.length !== chunks.length)
    throw metadataError(place, `a shape of [${shape}] in chunks of [${chunks}]`)
  if (!Number.isSafeInteger(items)) throw metadataError(place, `a shape of [${shape}]`)
}

function parse<Schema extends z.ZodType>(schema: Schema, document: unknown, place: string): z.output<Schema> {
  const result = schema.safeParse(document)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw metadataError(
    place,
    `${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'not understood'}`,
    result.error,
  )
}

/** JSON attributes as ours. Objects, which attributes of an HDF5 file cannot hold, are kept as their JSON text. */
export function parseAttributes(
  value: unknown,
  { place, limits }: { place: string; limits: ZarrLimits },
): Attributes {
  if (!isRecord(value) || Array.isArray(value)) throw metadataError(place, 'the attributes are not an object')
  const entries = Object.entries(value)
  if (entries.length > limits.attributes) throw metadataError(place, `${entries.length} attributes`)
  return Object.fromEntries(
    entries.map(([name, item]) => [name, attributeValue(item, { place, depth: limits.depth })]),
  )
}

function attributeValue(value: unknown, { place, depth }: { place: string; depth: number }): AttributeValue {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value
  if (depth === 0) throw metadataError(place, 'attributes nested too deep')
  if (Array.isArray(value)) return value.map((item) => attributeValue(item, { place, depth: depth - 1 }))
  try {
    return JSON.stringify(value)
  } catch (cause) {
    throw metadataError(place, 'attributes nested too deep', cause)
  }
}
