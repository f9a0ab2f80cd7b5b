/** Every operation a graph may be made of; tests go through this list, so that none is without its check. */
import type { Operation } from '../expression.ts'
import * as arithmetic from './arithmetic.ts'
import * as choices from './choices.ts'
import * as functions from './functions.ts'
import * as matrices from './matrices.ts'
import * as places from './places.ts'
import * as runs from './runs.ts'

export const operations: readonly Operation[] = [
  arithmetic,
  choices,
  functions,
  matrices,
  places,
  runs,
].flatMap((group) => Object.values(group).filter((value): value is Operation => typeof value === 'object'))
