/**
 * One Batch step as a child process: a limit on its memory, lines of its output, SIGTERM and later SIGKILL when it is to stop.
 *
 * It leads a process group of its own, so that Ctrl-C in a terminal reaches it once, through the runner, and workers it started end with it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { WriteStream } from 'node:fs'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'

export interface ChildOptions {
  environment: Readonly<Record<string, string | undefined>>
  /** MiB that its objects may take; arrays of numbers lie outside of it */
  memory: number
  log: WriteStream
  onLine(line: string): void
  signal: AbortSignal
  /** milliseconds between SIGTERM and SIGKILL */
  graceMs: number
}

const hasGroups = process.platform !== 'win32'
const followParent = new URL('follow-parent.ts', import.meta.url).href

/** @returns the exit code; 128 + n where signal n ended it, as a shell and a container count */
export async function runChild(path: string, options: ChildOptions): Promise<number> {
  const { environment, memory, log, signal } = options
  const child = spawn(process.execPath, [`--max-old-space-size=${memory}`, '--import', followParent, path], {
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    detached: hasGroups,
    windowsHide: true,
  })
  const stop = stopper(child, options.graceMs)
  signal.addEventListener('abort', stop.begin, { once: true })
  try {
    child.stderr?.pipe(log, { end: false })
    const lines = createInterface({ input: child.stdout! })
    lines.on('line', options.onLine)
    const [code, killer] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    return code ?? 128 + constants.signals[killer ?? 'SIGKILL']
  } finally {
    signal.removeEventListener('abort', stop.begin)
    stop.end()
  }
}

function stopper(child: ChildProcess, graceMs: number): { begin(): void; end(): void } {
  let patience: NodeJS.Timeout | undefined
  return {
    begin() {
      kill(child, 'SIGTERM')
      patience = setTimeout(() => kill(child, 'SIGKILL'), graceMs)
    },
    end: () => clearTimeout(patience),
  }
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (hasGroups) process.kill(-child.pid, signal)
    else child.kill(signal)
  } catch {
    // it has ended already
  }
}
