/**
 * Runs ONNX graphs by onnxruntime-node on the first provider of a list that loads; a fallback is a notice, never silence.
 *
 * Traps: `run` of onnxruntime-node works on the JavaScript thread and nothing else happens meanwhile: keep runs short (a quarter of a second)
 * and wait for `setImmediate` between them where progress, heartbeats or signals count. A provider that is not installed throws even where
 * another follows it in the list, so each is tried alone. CUDA multiplies float32 in TF32 (10 bits) unless NVIDIA_TF32_OVERRIDE=0.
 */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node'
import { BadInput, type ErrorReport } from '../job/errors.ts'
import { type HeldModel, modelBytes } from './held-inputs.ts'
import { type ElementType, elementTypes, type Tensor, type TensorData } from './tensor.ts'

export type Provider = 'cuda' | 'webgpu' | 'cpu'

export interface Session {
  /** the one that runs it */
  readonly provider: Provider
  /**
   * @param feeds all inputs but those that are held
   * @param outputs those wanted; all of the graph's when absent
   */
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
 * The next provider takes over from one that does not load, and from one that loads and cannot run the graph, which its first run shows. What fails
 * later is thrown.
 * @param model bytes of an ONNX file, as `writeModel` gives them, or a graph with inputs that it holds
 * @throws BadInput PROVIDER_UNAVAILABLE when no provider of the list loads and the CPU is not among them
 */
export async function openSession(
  model: Uint8Array | HeldModel,
  { providers = ['cpu'], threads, notices }: SessionOptions,
): Promise<Session> {
  const ort = await import('onnxruntime-node')
  // what it would print it also throws, and a notice tells it better
  ort.env.logLevel = 'fatal'
  const tensorOf = ({ type, data, shape }: Tensor) => new ort.Tensor(type, data as never, shape)
  const held = model instanceof Uint8Array ? {} : model.held
  const open = async (from: readonly Provider[], before: readonly string[] = []): Promise<Opened> => {
    const opened = await openFirst(ort, { model, providers: from, threads })
    const failures = [...before, ...opened.failures]
    if (failures.length > 0) notices.push(fallbackNotice(opened.provider, failures))
    return opened
  }
  let now = await open(providers)
  let hasRun = false
  const run: Session['run'] = async (feeds, outputs) => {
    const { inner, provider, others } = now
    const given = Object.entries({ ...feeds, ...among(held, inner.inputNames) })
    const tensors = Object.fromEntries(given.map(([name, tensor]) => [name, tensorOf(tensor)]))
    try {
      const results = await inner.run(tensors, outputs ?? inner.outputNames)
      hasRun = true
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, ownTensor(name, value)]),
      )
    } catch (error) {
      if (hasRun || others.length === 0) throw error
      await inner.release()
      now = await open(others, [`${provider}: ${firstLine(error)}`])
      return run(feeds, outputs)
    }
  }
  return {
    get provider() {
      return now.provider
    },
    run,
    close: () => now.inner.release(),
  }
}

interface Opened {
  inner: InferenceSession
  provider: Provider
  /** those that come after it */
  others: readonly Provider[]
  /** of those before it */
  failures: string[]
}

interface Opening {
  model: Uint8Array | HeldModel
  providers: readonly Provider[]
  threads: number | undefined
}

async function openFirst(
  ort: typeof import('onnxruntime-node'),
  { model, providers, threads }: Opening,
): Promise<Opened> {
  const failures: string[] = []
  for (const [i, provider] of providers.entries()) {
    try {
      const bytes = model instanceof Uint8Array ? model : modelBytes(model, provider)
      const inner = await ort.InferenceSession.create(bytes, {
        executionProviders: [provider],
        logSeverityLevel: 4,
        // what one operation frees the next is given, still in the cache; by a plan every value has its own place (5 % of a step of scVI)
        enableMemPattern: false,
        ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      })
      return { inner, provider, others: providers.slice(i + 1), failures }
    } catch (error) {
      // the CPU refuses only a graph that is wrong: that is a mistake of ours and no matter of providers
      if (provider === 'cpu') throw error
      failures.push(`${provider}: ${firstLine(error)}`)
    }
  }
  throw new BadInput(
    'PROVIDER_UNAVAILABLE',
    'execution provider',
    `none of ${providers.join(', ')} could be used (${failures.join('; ')})`,
    'Add "cpu" to the providers, or run in the image that has the GPU libraries',
  )
}

function among(held: HeldModel['held'], names: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(names.flatMap((name) => (held[name] === undefined ? [] : [[name, held[name]]])))
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
