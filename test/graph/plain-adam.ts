/** Adam in float64, number by number, as PyTorch's documentation writes it; for tests. */

export interface PlainAdam {
  epsilon: number
  beta1?: number
  beta2?: number
  decay?: { rate: number; kind: 'coupled' | 'decoupled' }
  clip?: number
}

export function plainAdam<Name extends string>(
  { first, slopes, rate }: { first: Record<Name, number[]>; slopes: Record<Name, number[]>[]; rate: number },
  { epsilon, beta1 = 0.9, beta2 = 0.999, decay, clip }: PlainAdam,
): Record<Name, number[]> {
  const names = Object.keys(first) as Name[]
  const each = <Value>(of: (name: Name) => Value) =>
    Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, Value>
  const weights = each((name) => [...first[name]])
  const [m, v] = [each((name) => first[name].map(() => 0)), each((name) => first[name].map(() => 0))]
  for (const [step, own] of slopes.entries()) {
    const length = Math.hypot(...names.flatMap((name) => own[name]))
    const shrink = clip === undefined ? 1 : Math.min(1, clip / (length + 1e-6))
    for (const name of names)
      for (const i of weights[name].keys()) {
        const before = weights[name][i]!
        const g = own[name][i]! * shrink + (decay?.kind === 'coupled' ? decay.rate * before : 0)
        m[name][i] = beta1 * m[name][i]! + (1 - beta1) * g
        v[name][i] = beta2 * v[name][i]! + (1 - beta2) * g * g
        const mean = m[name][i]! / (1 - beta1 ** (step + 1))
        const size = Math.sqrt(v[name][i]! / (1 - beta2 ** (step + 1))) + epsilon
        const kept = decay?.kind === 'decoupled' ? before * (1 - rate * decay.rate) : before
        weights[name][i] = kept - (rate * mean) / size
      }
  }
  return weights
}
