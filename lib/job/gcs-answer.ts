/**
 * What Google Cloud Storage tells of an object. Its etag here is the MD5 that Google keeps, since Google's own changes with the metadata
 * too; an object composed of parts has none and is known by its generation.
 */
import { z } from 'zod'
import type { ObjectInfo } from './store.ts'
import { badAnswer, statusFailure } from './web-errors.ts'
import { letGo, readSmall, type WebAnswer } from './web-request.ts'

/** What is asked for of each object. */
export const objectFields = 'name,size,generation,md5Hash,updated,contentEncoding'
export const mostMetadataBytes = 1 << 20

const objectAnswer = z.object({
  name: z.string(),
  size: z.string().regex(/^\d{1,15}$/),
  generation: z.string().regex(/^\d{1,20}$/),
  md5Hash: z
    .string()
    .regex(/^[A-Za-z0-9+/]{22}==$/)
    .optional(),
  updated: z.iso.datetime({ offset: true }),
})

/** @throws StoreFailure READ_FAILED where size, generation or date are missing or none */
export function infoOf(told: unknown, key: string, place: string): ObjectInfo {
  const parsed = objectAnswer.safeParse(told)
  if (!parsed.success) throw badAnswer(place, 'the answer lacks size, generation or date')
  const { size, generation, md5Hash, updated } = parsed.data
  const md5 = md5Hash === undefined ? undefined : Buffer.from(md5Hash, 'base64').toString('hex')
  return {
    key,
    size: Number(size),
    etag: md5 === undefined ? `"generation-${generation}"` : `"${md5}"`,
    versionId: generation,
    modified: Date.parse(updated),
    ...(md5 !== undefined && { md5 }),
  }
}

/** The JSON of an answer that must be 200. @throws StoreFailure; StoreUnavailable */
export async function jsonAnswer(
  answer: WebAnswer,
  { place, mostBytes, signIn }: { place: string; mostBytes: number; signIn: string },
): Promise<unknown> {
  const { status } = answer
  if (status !== 200) {
    letGo(answer)
    throw statusFailure({ status, place, remedy: signIn })
  }
  const bytes = await readSmall(answer, { place, mostBytes })
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    throw badAnswer(place, 'the answer is not JSON')
  }
}
