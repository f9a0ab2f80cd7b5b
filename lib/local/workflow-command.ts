/** `celldrop annotate H5AD --model NAME` and its like: a job of one workflow, made from flags. */
import { BadInput } from '../job/errors.ts'
import { checkSettings, type WorkflowName } from '../job/manifest.ts'
import type { Command } from './command.ts'
import { stemOf } from './job-request.ts'
import { modelsFlag, placeFlags } from './places.ts'
import { outFlag, runJob } from './run.ts'
import { argumentOf, settingFlags, settingsOfFlags } from './setting-flags.ts'

const needed: Record<WorkflowName, string> = {
  annotate: 'one file is needed',
  'type-cells': 'one file is needed',
  'fit-reference': 'one atlas is needed',
  'map-atlas': 'one file is needed',
  acquire: 'one source is needed',
}

/** @param usage what follows the name of the workflow */
export function workflowCommand(workflow: WorkflowName, usage: string): Command {
  const argument = argumentOf[workflow]
  // given as what the command is, and as its one argument
  const taken = ['workflow', argument]
  return {
    flags: { ...outFlag, ...settingFlags(workflow, taken), ...modelsFlag, ...placeFlags },
    async run(invocation) {
      const [given, ...others] = invocation.positionals
      const place = `celldrop ${workflow}`
      if (given === undefined || others.length > 0)
        throw new BadInput('USAGE', place, needed[workflow], `${place} ${usage} [--out DIR]`)
      const flags = settingsOfFlags(workflow, invocation.flags)
      const settings = checkSettings({ ...flags, workflow, [argument]: given }, place)
      await runJob(settings, { base: process.cwd(), otherwise: nameOf(given), invocation })
    },
  }
}

/** `cellxgene://?tissue=lung&disease=normal` is lung-normal; of a file it is the name without its ending. */
function nameOf(given: string): string {
  const [, query] = /^cellxgene:\/\/\?(.*)$/is.exec(given) ?? []
  if (query === undefined) return stemOf(given)
  return [...new URLSearchParams(query).values()].join('-')
}
