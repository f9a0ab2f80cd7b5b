/**
 * Products of matrices. Both may be taken as transposed, which costs nothing: the product reads them the other way. A row or matrix to be
 * added is taken along: a pass of its own over the product costs as much as a fifth of it.
 */
import { apply, type Expression, type Length, type Operation } from '../expression.ts'
import { add, multiply, sumTo } from './arithmetic.ts'

function outer({ shape }: Expression, isTransposed: boolean): [Length, Length] {
  if (shape.length !== 2) throw new Error(`[${shape.join(', ')}] is no matrix`)
  const [rows, columns] = shape as readonly [Length, Length]
  return isTransposed ? [columns, rows] : [rows, columns]
}

const transposes = (of: Pick<Expression, 'attributes'>, name: 'transA' | 'transB') =>
  (of.attributes[name] as { int: number }).int === 1

export const matrixProduct: Operation = {
  name: 'Gemm',
  infer: ([left, right], attributes) => {
    const [rows, inner] = outer(left!, transposes({ attributes }, 'transA'))
    const [same, columns] = outer(right!, transposes({ attributes }, 'transB'))
    if (inner !== same)
      throw new Error(`[${left!.shape.join(', ')}] and [${right!.shape.join(', ')}] cannot be multiplied`)
    return { type: left!.type, shape: [rows, columns] }
  },
  gradient(upstream, of) {
    const [left, right, added] = of.inputs as [Expression, Expression, Expression?]
    const [isLeftTurned, isRightTurned] = [transposes(of, 'transA'), transposes(of, 'transB')]
    const toLeft = isLeftTurned
      ? matmul(right, upstream, { left: isRightTurned, right: true })
      : matmul(upstream, right, { right: !isRightTurned })
    const toRight = isRightTurned
      ? matmul(upstream, left, { left: true, right: isLeftTurned })
      : matmul(left, upstream, { left: !isLeftTurned })
    if (added === undefined) return [toLeft, toRight]
    const share = shareOf(of)
    return [toLeft, toRight, sumTo(share === 1 ? upstream : multiply(upstream, share), added)]
  },
}

/** How much of what is added is added. */
function shareOf({ attributes: { beta } }: Pick<Expression, 'attributes'>): number {
  return beta !== undefined && 'float' in beta ? beta.float : 1
}

/** @param how which of them is taken as transposed, and what is added to the product */
export function matmul(
  left: Expression,
  right: Expression,
  how: { left?: boolean; right?: boolean; add?: Expression } = {},
): Expression {
  return apply(matrixProduct, how.add === undefined ? [left, right] : [left, right, how.add], {
    transA: { int: Number(how.left === true) },
    transB: { int: Number(how.right === true) },
  })
}

/** of + share x other. A product takes it along, unless it takes something already. */
export function addShare(of: Expression, { other, share }: { other: Expression; share: number }): Expression {
  if (of.operation !== matrixProduct || of.inputs.length > 2) return add(of, multiply(other, share))
  return apply(matrixProduct, [...of.inputs, other], { ...of.attributes, beta: { float: share } })
}
