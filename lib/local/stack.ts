/**
 * Where a deployed stack is: the file that `cdk deploy --outputs-file celldrop-stack.json` writes. It holds names and no secret, and can
 * be handed to everyone who submits jobs.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { BadInput } from '../job/errors.ts'
import { ignoreMissing } from '../job/folder-errors.ts'
import type { Flag, Flags } from './command.ts'

export const stackFlags = {
  stack: { type: 'string', value: 'NAME', describe: 'name of the deployed stack (default Celldrop)' },
  'stack-file': {
    type: 'string',
    value: 'FILE',
    describe: 'what `cdk deploy --outputs-file` wrote (default celldrop-stack.json)',
  },
} as const satisfies Record<string, Flag>

const stackOutputs = z.object({
  Inbox: z.string().regex(/^s3:\/\/[a-z0-9.-]+$/),
  Outbox: z.string().regex(/^s3:\/\/[a-z0-9.-]+$/),
  StateMachine: z.string().regex(/^arn:[a-z-]+:states:[a-z0-9-]+:\d+:stateMachine:[\w-]+$/),
})

export interface DeployedStack {
  /** s3://bucket */
  inbox: string
  outbox: string
  /** ARN */
  stateMachine: string
}

/** @throws BadInput STACK_UNKNOWN */
export async function readStack(flags: Flags): Promise<DeployedStack> {
  const file = typeof flags['stack-file'] === 'string' ? flags['stack-file'] : 'celldrop-stack.json'
  const name = typeof flags.stack === 'string' ? flags.stack : 'Celldrop'
  const text = await readFile(file, 'utf8').catch(ignoreMissing)
  if (text === undefined) throw unknownStack(file, 'there is no such file')
  let all: unknown
  try {
    all = JSON.parse(text)
  } catch {
    throw unknownStack(file, 'it is no JSON')
  }
  const stacks = z.record(z.string(), z.unknown()).safeParse(all).data ?? {}
  if (stacks[name] === undefined)
    throw unknownStack(file, `it knows no stack "${name}": ${Object.keys(stacks).join(', ').slice(0, 500)}`)
  const found = stackOutputs.safeParse(stacks[name])
  if (!found.success) throw unknownStack(file, `"${name}" is not a stack of Celldrop`)
  const { Inbox: inbox, Outbox: outbox, StateMachine: stateMachine } = found.data
  return { inbox, outbox, stateMachine }
}

function unknownStack(file: string, problem: string): BadInput {
  const remedy =
    'Deploy with `npx cdk deploy --all --outputs-file celldrop-stack.json`, or name the file by --stack-file'
  return new BadInput('STACK_UNKNOWN', file, problem, remedy)
}
