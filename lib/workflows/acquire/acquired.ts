/** What Publish of `acquire` goes by, read back: the files as Prepare pinned them, opened again, and the chosen rows. */
import { StoreFailure } from '../../job/errors.ts'
import type { StepRecord } from '../../job/steps.ts'
import { storeOf } from '../../job/stores.ts'
import type { Chosen } from '../../references/choose-cells.ts'
import { findFiles } from '../../references/find-files.ts'
import type { FoundFile } from '../../references/found-file.ts'
import { parseSource, shownSource } from '../../references/source.ts'
import { type AcquireContext, environmentOf } from './context.ts'
import type { FoundCells, Prepared } from './prepare.ts'

export async function readPrepared(
  context: AcquireContext,
): Promise<{ record: StepRecord; found: FoundCells | null }> {
  const record = await context.before('Prepare').finished()
  return { record, found: (record.value as Prepared).found }
}

export async function chosenOf(context: AcquireContext, { chosen }: FoundCells): Promise<Chosen> {
  const step = context.before('Prepare')
  const files: Chosen['files'] = []
  for (const one of chosen.files)
    files.push({ ...one, rows: await step.readBlock(`rows-${one.file}`, Int32Array) })
  return { ...chosen, files, notices: [] }
}

/** @throws StoreFailure OBJECT_CHANGED where a source gives another content now */
export async function reopen(context: AcquireContext, found: FoundCells): Promise<FoundFile[]> {
  const { settings } = context.road
  const source = parseSource(settings.source)
  if (source.kind !== 'synapse')
    return Promise.all(
      found.files.map(async (file) => ({ ...file, store: await storeOf(file.pin, context.stores) })),
    )
  // an address that Synapse signs is good for minutes, and names the version that was found
  const again = await findFiles(
    { ...source, version: found.facts.synapse?.version ?? source.version },
    { environment: environmentOf(context), signal: context.signal },
  )
  const [before, now] = [found.files[0], again.files[0]]
  if (now?.pin.size === before?.pin.size && now?.md5 === before?.md5) return again.files
  const problem = 'the file at Synapse was changed after the job began'
  throw new StoreFailure('OBJECT_CHANGED', shownSource(source), problem, 'Run the job again')
}
