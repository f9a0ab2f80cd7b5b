/**
 * A Python program that answers one line of JSON with another for as long as a test file runs: anndata alone takes half a second to
 * start. An answer may be {"error": ...}, which fails the test that asked and no other; a program that ends fails all that ask.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export interface PythonProgram {
  /**
   * One question at a time.
   * @throws Error with Python's own account of what went wrong
   */
  ask(question: object): Promise<Record<string, unknown>>
  close(): Promise<void>
}

export function startPython(python: string, argv: readonly string[]): PythonProgram {
  const child = spawn(python, argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  // a program that is gone is told by its output, which ends
  child.stdin.on('error', () => {})
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(`it ended with ${code ?? signal}`))
  })
  return {
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error(`${argv[0]}: ${await ended}`)
      const answer = JSON.parse(value) as Record<string, unknown>
      if (answer.error !== undefined) throw new Error(`${argv[0]}: ${answer.error}`)
      return answer
    },
    async close() {
      child.stdin.end()
      await ended
    },
  }
}
