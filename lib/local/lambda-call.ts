/**
 * A Lambda called in this process as Step Functions calls it in an account: what goes in and comes out is JSON of 256 KiB at most, and an
 * error is told by its name and {errorType, errorMessage, trace}.
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Handler } from './state-machine.ts'

export interface LambdaRequest {
  FunctionName: string
  Payload: unknown
}

/** Bytes of a state's input or output that Step Functions takes. */
const mostStateBytes = 256 * 1024
/** How long a function that is to stop may go on before it is left alone. */
const graceMs = 5000

/** @param stop a function cannot be stopped, but after a while it is no longer waited for */
export function invokeLambda(
  request: LambdaRequest,
  { handlers, stop }: { handlers: Readonly<Record<string, Handler>>; stop: AbortSignal },
): Promise<{ Payload: unknown }> {
  return patiently(invoke(request, handlers), stop)
}

async function invoke(
  { FunctionName, Payload }: LambdaRequest,
  handlers: Readonly<Record<string, Handler>>,
): Promise<{ Payload: unknown }> {
  const handler = handlers[FunctionName]
  if (handler === undefined) throw new Error(`there is no function ${FunctionName}`)
  const event = travel(Payload, FunctionName)
  let answer: unknown
  try {
    answer = await handler(event)
  } catch (error) {
    throw lambdaError(error)
  }
  return { Payload: travel(answer, FunctionName) }
}

function patiently<Answer>(work: Promise<Answer>, stop: AbortSignal): Promise<Answer> {
  const finished = new AbortController()
  const patience = new Promise<never>((_, reject) => {
    const giveUp = () =>
      wait(graceMs, undefined, { signal: finished.signal }).then(
        () => reject(stop.reason),
        () => undefined,
      )
    stop.addEventListener('abort', giveUp, { once: true, signal: finished.signal })
  })
  return Promise.race([work, patience]).finally(() => finished.abort())
}

/** @throws States.DataLimitExceeded, which no Retry and no Catch may take */
function travel(value: unknown, name: string): unknown {
  const text = JSON.stringify(value ?? null)
  if (Buffer.byteLength(text) <= mostStateBytes) return JSON.parse(text)
  const problem = `The state/task '${name}' has data of more than ${mostStateBytes} bytes`
  throw Object.assign(named('States.DataLimitExceeded', problem), { isRetryable: false, isCatchable: false })
}

/** As Lambda tells Step Functions of an error that a handler threw. */
function lambdaError(error: unknown): Error {
  const known = error instanceof Error ? error : new Error(String(error))
  const cause = {
    errorType: known.name,
    errorMessage: known.message,
    trace: (known.stack ?? '').split('\n'),
  }
  return named(known.name, JSON.stringify(cause))
}

function named(name: string, message: string): Error {
  const error = new Error(message)
  error.name = name
  return error
}
