/** The colour scale of a number: which values its ends stand for, so that a few extreme cells do not leave the rest in one colour. */
import type { NumberColouring } from './content.ts'
import { measurement } from './numbers.ts'

export interface NumberScale {
  /** smallest and largest value; both 0 where there is none */
  least: number
  most: number
  /** ends of the colour scale, and whether values lie beyond them */
  ends: [number, number]
  beyond: [boolean, boolean]
  missing: number
}

/** Ends as given, else the 1st and 99th percentile, else (where nearly all values are one) the extremes. */
export function numberScale({ values, range }: NumberColouring): NumberScale {
  const sorted = values.filter((value) => Number.isFinite(value)).sort()
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0
  const [least, most] = [at(0), at(1)]
  const [low, high] = range ?? (at(0.99) > at(0.01) ? [at(0.01), at(0.99)] : [least, most])
  return {
    least,
    most,
    ends: [low, high],
    beyond: [least < low, most > high],
    missing: values.length - sorted.length,
  }
}

/** The ends of a colour scale, saying so when values lie beyond them. */
export function endTexts([low, high]: [number, number], beyond: [boolean, boolean]): [string, string] {
  return [`${beyond[0] ? '≤ ' : ''}${measurement(low)}`, `${beyond[1] ? '≥ ' : ''}${measurement(high)}`]
}
