/** `celldrop annotate H5AD --model NAME`: a job of the `annotate` workflow, made from flags. */
import { BadInput } from '../job/errors.ts'
import { checkSettings } from '../job/manifest.ts'
import type { Command } from './command.ts'
import { stemOf } from './job-request.ts'
import { modelsFlag, placeFlags } from './places.ts'
import { outFlag, runJob } from './run.ts'
import { settingFlags, settingsOfFlags } from './setting-flags.ts'

/** Given as what the command is, and as its one argument. */
const taken = ['workflow', 'query']

export const annotateCommand: Command = {
  flags: { ...outFlag, ...settingFlags('annotate', taken), ...modelsFlag, ...placeFlags },
  async run(invocation) {
    const [query, ...others] = invocation.positionals
    if (query === undefined || others.length > 0) {
      const usage = 'celldrop annotate H5AD --model NAME [--out DIR]'
      throw new BadInput('USAGE', 'celldrop annotate', 'one file is needed', usage)
    }
    const given = { ...settingsOfFlags('annotate', invocation.flags), workflow: 'annotate', query }
    const settings = checkSettings(given, 'celldrop annotate')
    await runJob(settings, { base: process.cwd(), otherwise: stemOf(query), invocation })
  },
}
