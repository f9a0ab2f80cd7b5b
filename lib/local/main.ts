#!/usr/bin/env node
/** The command line: reads arguments, runs one command, turns errors into texts and exit codes. The clock is read here and handed on. */
import type { ErrorReport } from '../job/errors.ts'
import { AlreadyExists, BadInput, Interrupted, isCoded } from '../job/errors.ts'
import { printable } from '../job/object-key.ts'
import { helpText, parseArguments, usageText } from './arguments.ts'
import type { Flags } from './command.ts'
import { exitCode } from './exit-code.ts'
import { JobFailed } from './job-failed.ts'

async function run(argv: string[]): Promise<void> {
  const parsed = await parseArguments(argv)
  if (parsed === undefined) {
    process.stdout.write(usageText())
    if (argv.length === 0) process.exitCode = exitCode.badInput
    return
  }
  const { name, command, positionals, flags } = parsed
  if (flags.help === true) {
    process.stdout.write(helpText(name, command))
    return
  }
  await command.run({
    positionals,
    flags,
    options: {
      json: flags.json === true,
      open: { ...textFlag(flags, 'genome'), ...textFlag(flags, 'sample') },
    },
    environment: process.env,
    print: (text) => process.stdout.write(`${visible(text)}\n`),
    progress: (text) => process.stderr.write(`${visible(text)}\n`),
    stderr: process.stderr,
    listenForStop,
    clock: () => performance.timeOrigin + performance.now(),
  })
}

function textFlag<Name extends string>(flags: Flags, name: Name): { [key in Name]?: string } {
  const value = flags[name]
  return (typeof value === 'string' ? { [name]: value } : {}) as { [key in Name]?: string }
}

/** Names in files and buckets are other people's: none may steer the terminal. In JSON the same escapes mean the same text. */
function visible(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

/**
 * A second Ctrl-C ends the process at once, as the first does in other programs: by the signal itself, which a shell tells as 130. Steps are processes
 * of their own that follow it, by a signal too, so that no thread of a training is ended from within.
 */
function listenForStop(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(name, () => {
      controller.abort(
        new Interrupted('INTERRUPTED', 'celldrop', 'stopped on request', 'Give the same command again'),
      )
    })
  }
  return controller.signal
}

function report(error: unknown, json: boolean): void {
  const told = reportOf(error)
  const { code, place, problem, remedy } = told
  if (json) process.stdout.write(`${visible(JSON.stringify({ error: { code, place, problem, remedy } }))}\n`)
  else process.stderr.write(`${visible(`${code}: ${place}\n  ${problem}\n  ${remedy}`)}\n`)
}

function reportOf(error: unknown): ErrorReport {
  if (isCoded(error)) return error
  if (error instanceof JobFailed) return error.report
  const problem = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const remedy = 'This is a fault of Celldrop: please report it'
  return { code: 'INTERNAL', place: 'celldrop', problem, remedy }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return exitCode.interrupted
  const isRefused =
    error instanceof BadInput ||
    error instanceof AlreadyExists ||
    (error instanceof JobFailed && error.isRefused)
  return isRefused ? exitCode.badInput : exitCode.failed
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
  process.exitCode = exitCodeOf(error)
  // a function that was left alone may hold the process; who stopped it wants it to end. Steps have ended by now, and no training runs here
  if (error instanceof Interrupted) setTimeout(() => process.exit(), 1000).unref()
}
