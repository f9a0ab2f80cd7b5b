#!/usr/bin/env node
/** The command line: reads arguments, runs one command, turns errors into texts and exit codes. */
import { parseArgs } from 'node:util'
import type { OpenOptions } from '../data/open-cells.ts'
import { AlreadyExists, BadInput, Interrupted, isCoded } from '../job/errors.ts'
import { convertCommand } from './convert.ts'
import { exitCode } from './exit-code.ts'
import { inspectCommand } from './inspect.ts'

export interface Invocation {
  positionals: string[]
  options: { json: boolean; gzip: number; open: OpenOptions }
  print(text: string): void
  progress(text: string): void
  /** From here on Ctrl-C and SIGTERM abort the signal, with an Interrupted for reason, and no longer the process. */
  listenForStop(): AbortSignal
}

const commands: Record<string, (invocation: Invocation) => Promise<void>> = {
  inspect: inspectCommand,
  convert: convertCommand,
}

const usage = `celldrop <command> [options]

  inspect FILE              what is in an h5ad, 10x .h5, 10x MTX folder or AnnData zarr (a path or s3://bucket/key)
  convert FILE OUT.h5ad     write it as a current h5ad, streamed

options
  --json         one JSON document on stdout, nothing else there
  --genome NAME  which genome of a 10x file with several
  --sample NAME  which sample of an MTX folder with several
  --gzip LEVEL   compression of what is written, 0 to 9 (default 4)
`

async function run(argv: string[]): Promise<void> {
  const { positionals, values } = parse(argv)
  const [name, ...rest] = positionals
  if (name === undefined || values.help) {
    process.stdout.write(usage)
    if (name === undefined && !values.help) process.exitCode = exitCode.badInput
    return
  }
  const command = commands[name]
  if (command === undefined) {
    throw new BadInput(
      'USAGE',
      'celldrop',
      `there is no command '${name}'`,
      `Commands: ${Object.keys(commands).join(', ')}`,
    )
  }
  const gzip = Number(values.gzip ?? 4)
  if (!Number.isInteger(gzip) || gzip < 0 || gzip > 9) {
    throw new BadInput(
      'USAGE',
      'celldrop',
      `--gzip ${values.gzip} is no level`,
      'Give a whole number from 0 to 9',
    )
  }
  await command({
    positionals: rest,
    options: {
      json: values.json ?? false,
      gzip,
      open: {
        ...(values.genome !== undefined && { genome: values.genome }),
        ...(values.sample !== undefined && { sample: values.sample }),
      },
    },
    print: (text) => process.stdout.write(`${text}\n`),
    progress: (text) => process.stderr.write(`${text}\n`),
    listenForStop,
  })
}

/** A second Ctrl-C ends the process at once, as the first does in other programs. */
function listenForStop(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      controller.abort(
        new Interrupted('INTERRUPTED', 'celldrop', 'stopped on request', 'Give the same command again'),
      )
    })
  }
  return controller.signal
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        genome: { type: 'string' },
        sample: { type: 'string' },
        gzip: { type: 'string' },
      },
    })
  } catch (error) {
    const problem = error instanceof Error ? error.message.split('. ')[0] : String(error)
    throw new BadInput('USAGE', 'celldrop', problem ?? '', 'See `celldrop --help`', { cause: error })
  }
}

function report(error: unknown, json: boolean): void {
  if (isCoded(error)) {
    const { code, place, problem, remedy } = error
    if (json) process.stdout.write(`${JSON.stringify({ error: { code, place, problem, remedy } })}\n`)
    else process.stderr.write(`${code}: ${place}\n  ${problem}\n  ${remedy}\n`)
  } else {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const known = {
      code: 'INTERNAL',
      place: 'celldrop',
      problem: text,
      remedy: 'This is a fault of Celldrop: please report it',
    }
    if (json) process.stdout.write(`${JSON.stringify({ error: known })}\n`)
    else process.stderr.write(`INTERNAL: ${text}\n  ${known.remedy}\n`)
  }
}

// `celldrop inspect ... | head` closes our output early: that is no fault
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
const argv = process.argv.slice(2)
try {
  await run(argv)
} catch (error) {
  report(error, argv.includes('--json'))
  if (error instanceof BadInput || error instanceof AlreadyExists) process.exitCode = exitCode.badInput
  else process.exitCode = error instanceof Interrupted ? exitCode.interrupted : exitCode.failed
}
