/** What the cards of all models share: format, names, hashes, and the id, which is the hash of all else. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { hashOf } from '../job/canonical.ts'
import { BadInput } from '../job/errors.ts'
import { corrupt, shown } from './model-errors.ts'

export const modelFormat = 'celldrop-model/1'

/** names of models: also names of folders and parts of keys */
export const modelName = z
  .string()
  .regex(/^(?![0-9a-f]{64}$)[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/)
  .describe('letters, digits, ".", "_" and "-"')

export const cardText = z.string().max(10_000)
export const cardName = z.string().min(1).max(512)
export const cardHash = z.string().regex(/^[0-9a-f]{64}$/)

export const ontologyTerm = z.strictObject({ id: cardName, name: cardText, tier: cardName })
export type OntologyTerm = z.infer<typeof ontologyTerm>

export const isUnique = (names: readonly string[]): boolean => new Set(names).size === names.length

/** sha256 of a card but for its id and its time: the same content has the same id, whenever it was made. */
export function cardId(card: object): string {
  return hashOf({ ...card, id: undefined, created: undefined }, 64)
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** @throws BadInput MODEL_NAME */
export function checkModelName(given: string): void {
  if (modelName.safeParse(given).success) return
  const problem = `"${shown(given)}" is no name for a model`
  const remedy = 'Take at most 64 letters, digits, ".", "_" and "-", with a letter or digit at both ends'
  throw new BadInput('MODEL_NAME', 'name', problem, remedy)
}

/** What a schema says of a card, as a refusal. @throws BadInput MODEL_CORRUPT */
export function parsedCard<Schema extends z.ZodType>(
  schema: Schema,
  raw: unknown,
  place: string,
): z.infer<Schema> {
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw corrupt(place, shown(`the card says it wrongly: ${issue?.path.join('.')}: ${issue?.message}`))
}
