/**
 * A training state as bytes: a line of JSON, the numbers of all tensors, and a SHA-256 of both at the end. What was cut short, altered, or
 * belongs to another training is refused, never gone on from.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { StoreFailure } from '../job/errors.ts'
import type { TrainingState } from './network-training.ts'

const version = 1
const hashBytes = 32
const mostHeader = 64 * 2 ** 20

const finite = z.number().refine(Number.isFinite)
const whole = z.int().min(0)
const word = z
  .int()
  .min(0)
  .max(2 ** 32 - 1)
const record = z.object({
  epoch: whole,
  train_loss: finite,
  elbo_train: finite,
  reconstruction_loss_train: finite,
  kl_local_train: finite,
  classification_loss_train: finite.optional(),
  elbo_validation: finite.optional(),
  reconstruction_loss_validation: finite.optional(),
  kl_local_validation: finite.optional(),
  kl_weight: finite,
  rate: finite,
})
const header = z.strictObject({
  version: z.literal(version),
  /** hash of what is trained on what */
  training: z.string(),
  tensors: z.array(z.tuple([z.string(), whole])),
  state: z.strictObject({
    epoch: whole,
    step: whole,
    random: z.strictObject({
      seed: word,
      words: z.tuple([word, word, word, word]),
      spareNormal: finite.nullable(),
    }),
    rate: finite,
    sums: z.strictObject({
      cells: whole,
      steps: whole,
      loss: finite,
      reconstruction: finite,
      divergence: finite,
      classification: finite,
    }),
    history: z.array(record),
    best: z.strictObject({
      stop: finite.nullable(),
      stopSince: whole,
      plateau: finite.nullable(),
      plateauSince: whole,
    }),
    rollbacks: whole,
  }),
})

/** @param training what tells this training from another: of settings, data and code */
export function checkpointBytes({ carried, ...state }: TrainingState, training: string): Uint8Array {
  const tensors = Object.entries(carried).sort(([a], [b]) => (a < b ? -1 : 1))
  const lengths = tensors.map(([name, { length }]) => [name, length])
  const line = new TextEncoder().encode(`${JSON.stringify({ version, training, tensors: lengths, state })}\n`)
  const numbers = tensors.reduce((total, [, { byteLength }]) => total + byteLength, 0)
  const bytes = new Uint8Array(line.length + numbers + hashBytes)
  bytes.set(line)
  let at = line.length
  for (const [, values] of tensors) {
    bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at)
    at += values.byteLength
  }
  bytes.set(hashOf(bytes.subarray(0, at)), at)
  return bytes
}

/** @throws StoreFailure CHECKPOINT_CORRUPT, CHECKPOINT_OTHER */
export function readCheckpoint(
  bytes: Uint8Array,
  { training, place }: { training: string; place: string },
): TrainingState {
  const corrupt = () =>
    new StoreFailure(
      'CHECKPOINT_CORRUPT',
      place,
      'it is not what was written',
      'Remove it: training begins anew then',
    )
  const end = bytes.indexOf(10)
  const content = bytes.subarray(0, Math.max(0, bytes.length - hashBytes))
  if (end < 0 || end > mostHeader || end >= content.length) throw corrupt()
  if (Buffer.compare(hashOf(content), bytes.subarray(content.length)) !== 0) throw corrupt()
  const parsed = header.safeParse(JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))))
  if (!parsed.success) throw corrupt()
  if (parsed.data.training !== training)
    throw new StoreFailure('CHECKPOINT_OTHER', place, 'it belongs to another training', 'Remove it')
  const carried: Record<string, Float32Array> = {}
  let at = end + 1
  for (const [name, length] of parsed.data.tensors) {
    if (at + 4 * length > content.length) throw corrupt()
    carried[name] = new Float32Array(bytes.slice(at, at + 4 * length).buffer)
    at += 4 * length
  }
  if (at !== content.length) throw corrupt()
  return { ...(parsed.data.state as Omit<TrainingState, 'carried'>), carried }
}

function hashOf(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}
