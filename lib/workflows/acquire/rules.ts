/** What can be refused of an `acquire` job before anything is fetched: a source that is none, and places that are not this installation's. */
import { allowedSources, isAllowedSource } from '../../job/allowed-sources.ts'
import { BadInput } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'
import type { AcquireSettings } from '../../job/settings/acquire.ts'
import type { Environment } from '../../job/stores.ts'
import { shownLocation } from '../../job/web-address.ts'
import { parseSource } from '../../references/source.ts'
import type { WorkflowRules } from '../workflow.ts'
import { isOutputOf, isStillThere, outputOf } from './output.ts'

export const acquireRules: WorkflowRules<AcquireSettings> = {
  // what lies behind a source is found by Prepare
  inputs: () => [],
  documents: () => [],
  places: ({ source, output }) => [
    { role: 'source', location: source },
    ...(output === undefined ? [] : [{ role: 'output', location: output }]),
  ],
  relocated(settings, [source = settings.source, output = settings.output]) {
    return { ...settings, source, ...(output !== undefined && { output }) }
  },
  models: () => null,
  labelColumns: () => null,
  check: () => [],
  async admit(settings, { stores, environment }) {
    const source = parseSource(settings.source)
    const { references } = stores
    // how it will be called is not known yet, and alters nothing of where it may lie
    await outputOf(settings, { references, environment, name: 'name' })
    checkSource(settings.source, { isFile: source.kind === 'file', environment })
  },
  afterPrepare: 'Publish',
  overwrites: ({ force, overwrite }) => force || overwrite,
  succeeds: (settings, { workflow, summary }) => workflow === 'acquire' && isOutputOf(settings, summary),
  isCurrent: async ({ force }, summary, environment) => !force && (await isStillThere(summary, environment)),
}

/** @throws BadInput SOURCE_NOT_ALLOWED, CONFIGURATION */
function checkSource(
  location: string,
  { isFile, environment }: { isFile: boolean; environment: Environment },
): void {
  const isPath = isFile && !/^[a-z][a-z0-9+.-]*:\/\//i.test(location)
  const isAllowed = isPath
    ? environment.CELLDROP_LOCAL_FILES === '1'
    : isAllowedSource(location, allowedSources(environment))
  if (isAllowed) return
  const problem = isPath
    ? 'a path of another computer means nothing here'
    : 'this installation does not read from there'
  const remedy = 'Ask who runs the installation to list it among its sources (docs/deploy.md)'
  throw new BadInput('SOURCE_NOT_ALLOWED', `source: ${printable(shownLocation(location))}`, problem, remedy)
}
