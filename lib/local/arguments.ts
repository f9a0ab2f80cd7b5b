/** From arguments to a command and its flags, and the help, which is made from the same tables. */
import { parseArgs } from 'node:util'
import { distance } from 'fastest-levenshtein'
import { BadInput } from '../job/errors.ts'
import type { Command, Flag, Flags } from './command.ts'
import { type CommandEntry, commands } from './commands.ts'

/** What every command has. */
const commonFlags: Record<string, Flag> = {
  json: { type: 'boolean', describe: 'one JSON document on stdout, nothing else there' },
  help: { type: 'boolean', describe: 'this text' },
}

export interface Parsed {
  name: string
  command: Command
  positionals: string[]
  flags: Flags
}

/** @returns undefined when help is all that was asked for, or nothing was @throws BadInput USAGE */
export async function parseArguments(argv: string[]): Promise<Parsed | undefined> {
  const at = argv.findIndex((argument) => !argument.startsWith('-'))
  const name = argv[at]
  if (name === undefined) {
    parseFlags(argv, commonFlags)
    return undefined
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (entry === undefined) throw unknownCommand(name)
  const command = await entry.load()
  const given = argv.toSpliced(at, 1)
  const { positionals, values } = parseFlags(given, { ...command.flags, ...commonFlags })
  return { name, command, positionals, flags: values }
}

function parseFlags(argv: string[], flags: Command['flags']): { positionals: string[]; values: Flags } {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, { type, multiple }]) => [
      name,
      { type, multiple: multiple ?? false, ...(name === 'help' && { short: 'h' }) },
    ]),
  )
  try {
    return parseArgs({ args: argv, allowPositionals: true, allowNegative: true, options })
  } catch (error) {
    const problem = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error)
    const unknown = /^Unknown option '-*(?:no-)?([^']*)'/.exec(problem)?.[1]
    const near = unknown === undefined ? [] : nearest(unknown, Object.keys(flags))
    const remedy = near.length === 0 ? 'See `celldrop --help`' : meant(near.map((flag) => `--${flag}`))
    throw new BadInput('USAGE', 'celldrop', problem, remedy, { cause: error })
  }
}

function unknownCommand(name: string): BadInput {
  const near = nearest(name, Object.keys(commands))
  const remedy = near.length === 0 ? `Commands: ${Object.keys(commands).join(', ')}` : meant(near)
  return new BadInput('USAGE', 'celldrop', `there is no command '${name}'`, remedy)
}

/** Those that a slip of the fingers may have meant, at most three, the likeliest first. */
function nearest(name: string, known: string[]): string[] {
  const plain = name.slice(0, 100).toLowerCase()
  const rated = known.map((word) => ({ word, far: distance(plain, word) }))
  const near = rated.filter(({ far }) => far <= Math.max(2, plain.length / 3))
  const least = Math.min(...near.map(({ far }) => far))
  return near
    .filter(({ far }) => far <= least + 1)
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ word }) => word)
}

function meant(names: string[]): string {
  return `Did you mean ${names.map((name) => `"${name}"`).join(' or ')}?`
}

export function usageText(): string {
  const rows = Object.entries(commands).map(([name, { usage, summary }]): [string, string] => [
    `${name} ${usage}`,
    summary,
  ])
  return `celldrop <command> [options]

${columns(rows)}

celldrop <command> --help shows its options. Exit codes: 0 done, 2 bad usage or input, 3 failed, 130 interrupted.
`
}

export function helpText(name: string, command: Command): string {
  const { usage, summary } = commands[name] as CommandEntry
  const rows = Object.entries({ ...command.flags, ...commonFlags }).map(([flag, fact]): [string, string] => [
    `--${fact.isOn ? 'no-' : ''}${flag}${fact.type === 'string' ? ` ${fact.value ?? 'TEXT'}` : ''}`,
    fact.describe,
  ])
  return `celldrop ${name} ${usage}

${summary}

${columns(rows)}
`
}

const widest = 34

function columns(rows: [string, string][]): string {
  const width = Math.min(widest, Math.max(...rows.map(([left]) => left.length)))
  return rows
    .map(([left, right]) =>
      left.length > width
        ? `  ${left}\n  ${' '.repeat(width)}  ${right}`
        : `  ${left.padEnd(width)}  ${right}`,
    )
    .join('\n')
}
