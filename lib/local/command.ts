/** What a command is: its flags, and what it does with what was typed. */
import type { OpenOptions } from '../data/open-cells.ts'
import type { Environment } from '../job/stores.ts'
import type { LiveStream } from './live-lines.ts'

export interface Flag {
  type: 'string' | 'boolean'
  /** may be given several times */
  multiple?: true
  /** on unless --no-... is given */
  isOn?: true
  /** what stands for the value in the help */
  value?: string
  describe: string
}

export type Flags = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>

export interface Invocation {
  positionals: string[]
  flags: Flags
  options: { json: boolean; open: OpenOptions }
  environment: Environment
  /** onto stdout: the answer, one JSON document with --json */
  print(text: string): void
  /** onto stderr: everything else */
  progress(text: string): void
  /** where progress is drawn */
  stderr: LiveStream
  /** From here on Ctrl-C and SIGTERM abort the signal, with an Interrupted for reason, and no longer the process. */
  listenForStop(): AbortSignal
  /** milliseconds since 1970 */
  clock(): number
}

export interface Command {
  flags: Readonly<Record<string, Flag>>
  run(invocation: Invocation): Promise<void>
}
