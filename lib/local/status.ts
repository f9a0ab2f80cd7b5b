/** `celldrop status [JOB]`: jobs of this folder and how they stand, by id or name; with --stack one of a deployed stack. */
import { BadInput } from '../job/errors.ts'
import type { Command, Invocation } from './command.ts'
import { describeStatus, readStatuses } from './job-status.ts'
import { placesOf } from './places.ts'
import { stackFlags } from './stack.ts'

export const statusCommand: Command = {
  flags: stackFlags,
  async run(invocation) {
    const { flags } = invocation
    if (flags.stack === undefined && flags['stack-file'] === undefined) return localStatus(invocation)
    return (await import('./remote.ts')).remoteStatus(invocation)
  },
}

async function localStatus({ positionals, flags, options, environment, print }: Invocation): Promise<void> {
  const [wanted, ...others] = positionals
  if (others.length > 0)
    throw new BadInput('USAGE', 'celldrop status', 'at most one job is named', 'celldrop status [JOB]')
  const { home } = placesOf(flags, environment)
  const all = await readStatuses(home)
  if (wanted === undefined) {
    if (options.json) print(JSON.stringify(all))
    else print(all.length === 0 ? `no jobs in ${home}` : all.map(describeStatus).join('\n'))
    return
  }
  const found = all.find(({ jobId }) => jobId === wanted || jobId.replace(/-[0-9a-f]{12}$/, '') === wanted)
  if (found === undefined) {
    const known = all.slice(0, 10).map(({ jobId }) => jobId)
    const remedy = known.length === 0 ? 'No job has run in this folder' : `Jobs: ${known.join(', ')}`
    throw new BadInput('JOB_UNKNOWN', wanted, 'no job of this name has run in this folder', remedy)
  }
  print(options.json ? JSON.stringify(found) : describeStatus(found))
}
