/** `celldrop annotate H5AD --model NAME` and its like: a job of one workflow, made from flags. */
import { BadInput } from '../job/errors.ts'
import { checkSettings, type WorkflowName } from '../job/manifest.ts'
import type { Command } from './command.ts'
import { stemOf } from './job-request.ts'
import { modelsFlag, placeFlags } from './places.ts'
import { outFlag, runJob } from './run.ts'
import { settingFlags, settingsOfFlags } from './setting-flags.ts'

/** Given as what the command is, and as its one argument. */
const taken = ['workflow', 'query']

/** @param usage what follows the name of the workflow */
export function workflowCommand(workflow: WorkflowName, usage: string): Command {
  return {
    flags: { ...outFlag, ...settingFlags(workflow, taken), ...modelsFlag, ...placeFlags },
    async run(invocation) {
      const [query, ...others] = invocation.positionals
      const place = `celldrop ${workflow}`
      if (query === undefined || others.length > 0)
        throw new BadInput('USAGE', place, 'one file is needed', `${place} ${usage} [--out DIR]`)
      const given = { ...settingsOfFlags(workflow, invocation.flags), workflow, query }
      const settings = checkSettings(given, place)
      await runJob(settings, { base: process.cwd(), otherwise: stemOf(query), invocation })
    },
  }
}
