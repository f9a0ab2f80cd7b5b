/** Running sums, and rows of one number whose length is computed: what entries of rows of different lengths are found with. */
import { apply, constant, type Expression, integerOf, type Operation } from '../expression.ts'
import { sum } from './arithmetic.ts'

/** Sum of a row's numbers up to each, itself among them. Reversed: from each on. */
export const runningSum: Operation = {
  name: 'CumSum',
  infer: ([of]) => ({ type: of!.type, shape: of!.shape }),
  gradient: (upstream, of) => [runningSums(upstream, { isReversed: integerOf(of, 'reverse') === 0 })],
}

export function runningSums(of: Expression, { isReversed = false } = {}): Expression {
  if (of.shape.length !== 1) throw new Error(`[${of.shape.join(', ')}] is no row`)
  const axis = constant({ type: 'int32', shape: [], data: Int32Array.of(0) })
  return apply(runningSum, [of, axis], { reverse: { int: Number(isReversed) } })
}

/** One number again and again. */
export const repetition: Operation = {
  name: 'Expand',
  infer: ([number], { word }) => ({ type: number!.type, shape: [(word as { text: string }).text] }),
  gradient: (upstream) => [sum(upstream)],
  emit: (_, { inputs, output }) => [{ op: 'Expand', inputs, outputs: [output] }],
}

/**
 * @param number of shape [1]
 * @param times.length how often, computed: whole, of shape [1]; `word` stands for it in shapes
 */
export const repeat = (number: Expression, { length, word }: { length: Expression; word: string }) =>
  apply(repetition, [number, length], { word: { text: word } })
