/**
 * Runs ONNX graphs by onnxruntime-node on the first provider of a list that loads; a fallback is a notice, never silence.
 *
 * Traps: `run` of onnxruntime-node works on the JavaScript thread and nothing else happens meanwhile: keep runs short (a quarter of a second)
 * and wait for `setImmediate` between them where progress, heartbeats or signals count. A provider that is not installed throws even where
 * another follows it in the list, so each is tried alone. CUDA multiplies float32 in TF32 (10 bits) unless NVIDIA_TF32_OVERRIDE=0.
 */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { type ElementType, elementTypes, type Tensor, type TensorData } from './tensor.ts'

export type Provider = 'cuda' | 'webgpu' | 'cpu'

export interface Session {
  /** the one that runs it */
  readonly provider: Provider
  /** names of what it is fed */
  readonly inputs: readonly string[]
  /** all outputs of the graph, or those named */
  run(feeds: Readonly<Record<string, Tensor>>, outputs?: readonly string[]): Promise<Record<string, Tensor>>
  /** gives the memory back; a closed session runs no more */
  close(): Promise<void>
}

export interface SessionOptions {
  /** tried in this order; ['cpu'] unless told */
  providers?: readonly Provider[]
  /** threads of one operator, on the CPU; one a core unless told */
  threads?: number
  /** where a fallback is recorded: PROVIDER_FALLBACK */
  notices: ErrorReport[]
}

/**
 * @param model bytes of an ONNX file, as `writeModel` gives them; or those for each provider
 * @throws BadInput PROVIDER_UNAVAILABLE when no provider of the list loads and the CPU is not among them
 */
export async function openSession(
  model: Uint8Array | ((provider: Provider) => Uint8Array),
  options: SessionOptions,
): Promise<Session> {
  const { providers = ['cpu'], threads, notices } = options
  const ort = await import('onnxruntime-node')
  // what it would print it also throws, and a notice tells it better
  ort.env.logLevel = 'fatal'
  const failures: string[] = []
  for (const provider of providers) {
    let inner: InferenceSession
    try {
      const bytes = typeof model === 'function' ? model(provider) : model
      inner = await ort.InferenceSession.create(bytes, {
        executionProviders: [provider],
        logSeverityLevel: 3,
        // what one operation frees the next is given, still in the cache; by a plan every value has its own place (5 % of a step of scVI)
        enableMemPattern: false,
        ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      })
    } catch (error) {
      // the CPU refuses only a graph that is wrong: that is a mistake of ours and no matter of providers
      if (provider === 'cpu') throw error
      failures.push(`${provider}: ${firstLine(error)}`)
      continue
    }
    if (failures.length > 0) notices.push(fallbackNotice(provider, failures))
    return sessionOf(inner, { provider, makeTensor: tensorMaker(ort) })
  }
  throw new BadInput(
    'PROVIDER_UNAVAILABLE',
    'execution provider',
    `none of ${providers.join(', ')} could be used (${failures.join('; ')})`,
    'Add "cpu" to the providers, or run in the image that has the GPU libraries',
  )
}

type MakeTensor = (tensor: Tensor) => OrtTensor

function sessionOf(
  inner: InferenceSession,
  { provider, makeTensor }: { provider: Provider; makeTensor: MakeTensor },
): Session {
  return {
    provider,
    inputs: inner.inputNames,
    async run(feeds, outputs) {
      const given = Object.entries(feeds).map(([name, tensor]) => [name, makeTensor(tensor)] as const)
      const results = await inner.run(Object.fromEntries(given), outputs ?? inner.outputNames)
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, ownTensor(name, value)]),
      )
    },
    close: () => inner.release(),
  }
}

function tensorMaker(ort: typeof import('onnxruntime-node')): MakeTensor {
  return ({ type, data, shape }) => new ort.Tensor(type, data as never, shape)
}

function ownTensor(name: string, { type, data, dims }: OrtTensor): Tensor {
  if (!(type in elementTypes))
    throw new TypeError(`output '${name}' is of type ${type}, which is not read here`)
  return { type: type as ElementType, shape: dims, data: data as TensorData }
}

function fallbackNotice(provider: Provider, failures: readonly string[]): ErrorReport {
  return {
    code: 'PROVIDER_FALLBACK',
    place: 'execution provider',
    problem: `${provider} computes instead (${failures.join('; ')})`,
    remedy:
      'Nothing need be done: results agree to rounding and take longer. For speed, run where the GPU libraries are',
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return text.split('\n', 1)[0]!.slice(0, 200)
}
