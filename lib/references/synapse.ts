/**
 * A file of Synapse (Sage Bionetworks): the entity is looked up, and the service signs an address that the content comes from.
 *
 * Traps: the token of SYNAPSE_AUTH_TOKEN goes to Synapse's own hosts and nowhere else, and into no message. The signed address lives for
 * minutes: whoever keeps it for later finds it refused, and has to find the file again.
 */
import { z } from 'zod'
import { BadInput, isCoded, StoreFailure } from '../job/errors.ts'
import { printable } from '../job/object-key.ts'
import { openObject } from '../job/open-store.ts'
import type { Environment } from '../job/stores.ts'
import { badAnswer } from '../job/web-errors.ts'
import { openWeb } from '../job/web-request.ts'
import type { FoundFile, SourceFacts } from './found-file.ts'
import { readWebJson } from './web-json.ts'

const hosts = {
  repo: 'https://repo-prod.prod.sagebase.org',
  file: 'https://file-prod.prod.sagebase.org',
} as const
const mostBytes = 4 << 20
const fileEntity = 'org.sagebionetworks.repo.model.FileEntity'

interface Session {
  environment: Environment
  place: string
  ask(host: keyof typeof hosts, path: string, body?: unknown): Promise<unknown>
}

/**
 * @throws BadInput SYNAPSE_TOKEN, SYNAPSE_NOT_A_FILE, SOURCE_MISSING; StoreFailure SYNAPSE_REFUSED, CONTENT_MISMATCH, READ_FAILED
 */
export async function findSynapse(
  { id, version }: { id: string; version: number | null },
  options: { environment: Environment; signal?: AbortSignal | undefined },
): Promise<{ files: FoundFile[]; synapse: SourceFacts['synapse']; notices: [] }> {
  const session = openSession(`synapse://${id}${version === null ? '' : `.${version}`}`, options)
  const entity = await readEntity(session, { id, version })
  const { url, md5, size } = await signedAddress(session, { id, handle: entity.handle })
  const { store, key, access } = await openObject(url, { environment: session.environment })
  const found = await store.head(key).catch((error: unknown) => {
    throw isCoded(error) && error.code === 'ACCESS_DENIED' ? refused(session.place) : error
  })
  if (found === undefined) throw missing(session.place)
  if (size !== undefined && found.size !== size) {
    const problem = `Synapse tells of ${size} bytes, and ${found.size} lie there`
    throw new StoreFailure('CONTENT_MISMATCH', session.place, problem, 'Run again; else tell Synapse')
  }
  const pin = {
    ...{ role: 'source 1', place: store.place, key, etag: found.etag, size: found.size },
    ...(access !== undefined && { access }),
  }
  return {
    files: [{ pin, store, dataset: null, ...(md5 !== undefined && { md5 }) }],
    synapse: { id, version: entity.version, name: entity.name },
    notices: [],
  }
}

function openSession(
  place: string,
  { environment, signal }: { environment: Environment; signal?: AbortSignal | undefined },
): Session {
  const {
    SYNAPSE_AUTH_TOKEN: token = '',
    CELLDROP_SYNAPSE: mirror,
    CELLDROP_LOCAL_FILES: local,
  } = environment
  if (!/^[\x21-\x7e]+$/.test(token)) {
    const problem =
      token === '' ? 'Synapse gives nothing without a token' : 'the token holds what no token may'
    const remedy = 'Make a token at synapse.org (Account settings) and set SYNAPSE_AUTH_TOKEN to it'
    throw new BadInput('SYNAPSE_TOKEN', 'SYNAPSE_AUTH_TOKEN', problem, remedy)
  }
  const web = openWeb({ isLocal: local === '1' })
  const remedy =
    'Check that SYNAPSE_AUTH_TOKEN has not run out and allows to view and download, and that the account may read this entity'
  return {
    environment,
    place,
    ask: (host, path, body) =>
      readWebJson(`${(mirror || hosts[host]).replace(/\/+$/, '')}/${path}`, {
        ...{ web, mostBytes, remedy, signal, missing: () => missing(place) },
        headers: { authorization: `Bearer ${token}` },
        ...(body !== undefined && { body }),
      }),
  }
}

const entityAnswer = z.object({
  name: z.string(),
  concreteType: z.string(),
  dataFileHandleId: z.union([z.string().regex(/^\d{1,20}$/), z.int().transform(String)]).nullish(),
  versionNumber: z.int().nullish(),
})

async function readEntity(
  { ask, place }: Session,
  { id, version }: { id: string; version: number | null },
): Promise<{ name: string; version: number; handle: string }> {
  const told = await ask('repo', `repo/v1/entity/${id}${version === null ? '' : `/version/${version}`}`)
  const parsed = entityAnswer.safeParse(told)
  if (!parsed.success) throw badAnswer(place, 'Synapse does not tell what this is')
  const { name, concreteType, dataFileHandleId, versionNumber } = parsed.data
  if (concreteType !== fileEntity || !dataFileHandleId) {
    const kind = printable(concreteType.slice(concreteType.lastIndexOf('.') + 1)).slice(0, 60)
    const problem = `this is no file but of the kind ${kind}`
    throw new BadInput('SYNAPSE_NOT_A_FILE', place, problem, 'Give the id of one file in it')
  }
  return { name: printable(name), version: versionNumber ?? version ?? 1, handle: dataFileHandleId }
}

const handleAnswer = z.object({
  requestedFiles: z
    .array(
      z.object({
        preSignedURL: z.string().nullish(),
        failureCode: z.string().nullish(),
        fileHandle: z
          .object({ contentMd5: z.string().nullish(), contentSize: z.int().min(0).nullish() })
          .nullish(),
      }),
    )
    .min(1),
})

async function signedAddress(
  { ask, place }: Session,
  { id, handle }: { id: string; handle: string },
): Promise<{ url: string; md5?: string; size?: number }> {
  const told = await ask('file', 'file/v1/fileHandle/batch', {
    requestedFiles: [{ fileHandleId: handle, associateObjectId: id, associateObjectType: 'FileEntity' }],
    includePreSignedURLs: true,
    includeFileHandles: true,
  })
  const parsed = handleAnswer.safeParse(told)
  if (!parsed.success) throw badAnswer(place, 'Synapse does not tell where the content is')
  const { failureCode, preSignedURL, fileHandle } = parsed.data.requestedFiles[0]!
  if (failureCode === 'NOT_FOUND') throw missing(place)
  if (failureCode || !preSignedURL) throw refused(place)
  const md5 = fileHandle?.contentMd5?.toLowerCase() ?? ''
  return {
    url: preSignedURL,
    ...(/^[0-9a-f]{32}$/.test(md5) && { md5 }),
    ...(typeof fileHandle?.contentSize === 'number' && { size: fileHandle.contentSize }),
  }
}

function refused(place: string): StoreFailure {
  const remedy = 'Open it at synapse.org: its owner may ask for conditions to be accepted first'
  return new StoreFailure('SYNAPSE_REFUSED', place, 'Synapse does not give this file to this account', remedy)
}

function missing(place: string): BadInput {
  return new BadInput('SOURCE_MISSING', place, 'Synapse has no such file or version', 'Check the id')
}
