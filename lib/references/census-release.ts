/**
 * A release of the CELLxGENE Census: where it keeps the files that it was built from, which anybody may read over https.
 * The list of releases is release.json; `stable` and `latest` in it are names of other entries.
 *
 * Trap: a release may be retracted, and still be read; that is said, not hidden.
 */
import { z } from 'zod'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import type { Environment } from '../job/stores.ts'
import { badAnswer } from '../job/web-errors.ts'
import type { Web } from '../job/web-request.ts'
import { nearestFirst, shownName, shownNames } from '../prep/shown-names.ts'
import { readWebJson } from './web-json.ts'

export interface CensusRelease {
  /** the entry that holds it: '2025-01-30' */
  name: string
  date: string
  /** https address that the names of files are put behind */
  files: string
  notices: ErrorReport[]
}

const listing = 'https://census.cellxgene.cziscience.com/cellxgene-census/v1/release.json'
const mostBytes = 4 << 20
const mostAliases = 10

const entry = z.object({
  release_date: z.string().nullish(),
  release_build: z.string().nullish(),
  h5ads: z.object({ uri: z.string(), s3_region: z.string().nullish() }),
  retraction: z.looseObject({}).nullish(),
  flags: z.looseObject({ retracted: z.boolean().optional() }).nullish(),
})

/** @throws BadInput CENSUS_VERSION with the nearest ones; StoreFailure READ_FAILED where the list cannot be used */
export async function readRelease(
  version: string,
  options: { environment: Environment; web: Web; signal?: AbortSignal | undefined },
): Promise<CensusRelease> {
  const { environment, web, signal } = options
  const place = environment.CELLDROP_CELLXGENE_CENSUS || listing
  const told = await readWebJson(place, { web, mostBytes, signal })
  if (typeof told !== 'object' || told === null || Array.isArray(told))
    throw badAnswer(place, 'the answer is no list of releases')
  const entries = new Map<string, unknown>(Object.entries(told))
  const { name, content } = entryOf(entries, version, place)
  const parsed = entry.safeParse(content)
  if (!parsed.success) throw badAnswer(place, `the entry ${shownName(name)} does not say where its files lie`)
  const { h5ads, release_date, release_build } = parsed.data
  const date = release_date ?? release_build ?? name
  return {
    name,
    date,
    files: filesAddress(h5ads.uri, { region: h5ads.s3_region ?? 'us-west-2', place }),
    notices: parsed.data.retraction || parsed.data.flags?.retracted ? [retracted(name, place)] : [],
  }
}

function entryOf(
  entries: ReadonlyMap<string, unknown>,
  version: string,
  place: string,
): { name: string; content: unknown } {
  let name = version
  for (let aliases = 0; aliases <= mostAliases; aliases++) {
    const content = entries.get(name)
    if (content === undefined) {
      const known = nearestFirst(version, [...entries.keys()])
      const problem = `there is no release ${shownName(name)} of the Census`
      throw new BadInput('CENSUS_VERSION', place, problem, `There are: ${shownNames(known)}`)
    }
    if (typeof content !== 'string') return { name, content }
    name = content
  }
  throw badAnswer(place, `the names behind ${shownName(version)} lead in a circle`)
}

/** A mirror may keep them on a web server of its own. */
function filesAddress(uri: string, { region, place }: { region: string; place: string }): string {
  const ended = uri.endsWith('/') ? uri : `${uri}/`
  if (/^https?:\/\//.test(ended)) return ended
  const [, bucket, prefix] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.*)$/.exec(ended) ?? []
  if (bucket === undefined || prefix === undefined || !/^[a-z0-9-]{1,40}$/.test(region))
    throw badAnswer(place, 'the place of the files is no bucket')
  return `https://${bucket}.s3.${region}.amazonaws.com/${prefix}`
}

function retracted(name: string, place: string): ErrorReport {
  const problem = `the release ${name} of the Census has been retracted`
  return { code: 'CENSUS_RETRACTED', place, problem, remedy: 'Use "census_version": "stable"' }
}
