/**
 * Setup of every test file: Node takes what it has compiled before from node_modules/.cache, in the processes that tests start and in the
 * threads that read HDF5. The product starts those threads with an empty environment, which has no cache either: they get this one
 * variable and nothing else. Trap: a thread that is ended stores nothing, so compile-cache-run.ts has filled the cache before.
 */
import { syncBuiltinESMExports } from 'node:module'
import threads, { type WorkerOptions } from 'node:worker_threads'

const { NODE_COMPILE_CACHE } = process.env

if (NODE_COMPILE_CACHE !== undefined) {
  const { Worker } = threads
  threads.Worker = class extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      const { env } = options
      const given = typeof env === 'object' ? { ...env, NODE_COMPILE_CACHE } : env
      super(file, env === undefined ? options : { ...options, env: given })
    }
  }
  syncBuiltinESMExports()
}
