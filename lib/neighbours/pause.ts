/**
 * Long computations hand the event loop back between pieces of work, so that progress is shown and an interrupt is heard.
 * Pieces are counted in work done, never in time: a pause must not change the result.
 */
import { setImmediate } from 'node:timers/promises'

/** @throws the signal's reason when it has been aborted */
export async function pause(signal?: AbortSignal): Promise<void> {
  await setImmediate()
  signal?.throwIfAborted()
}
