/**
 * Which matrix a job works from, and what is to be done with it: SpatialCore's table of raw counts found or not against the
 * state of X, with raw counts preferred (`prefer: 'x'` is its own behaviour).
 *
 * Trap: logs are taken as they are, so a median total of 10,751 stays 10,751; the notice says it.
 */
import { BadInput, type ErrorReport } from '../job/errors.ts'
import type { CheckedMatrix, CountsState } from './counts-state.ts'

export interface ChosenCounts {
  /** name of the matrix to read: 'X', 'raw/X', 'layers/counts' */
  matrix: string
  /** how `normalisedRows` has to take it */
  from: 'counts' | 'log1p_10k' | 'log1p'
  /** what was done that the user may not expect */
  notices: ErrorReport[]
}

export interface ChooseOptions {
  /** for messages: the file */
  place: string
  /** which is taken where both are there: raw counts unless told */
  prefer?: 'raw' | 'x'
  /** go on with what is neither counts nor known logs, and say so */
  unsafeForce?: boolean
  /** full name of the matrix that the user says holds the counts (`matrixNamed`): then no other is taken */
  countsLayer?: string
}

/**
 * @param state of `detectCounts`, called with the same counts layer
 * @throws BadInput COUNTS_NOT_FOUND with the state that was seen and what can be done
 */
export function chooseCounts(state: CountsState, options: ChooseOptions): ChosenCounts {
  const { rawCounts, checked } = state
  const named = options.countsLayer
  if (named !== undefined && !checked.some(({ where }) => where === named))
    throw new RangeError(`${options.place}: ${named} was not looked at`)
  const x = checked.find(({ where }) => where === 'X')
  const isLog = (matrix: CheckedMatrix | undefined) => matrix?.state === 'log1p_10k'
  if (options.prefer === 'x' && named === undefined && x !== undefined && isLog(x)) return logs(x, options)
  if (rawCounts.where !== null && rawCounts.where === (named ?? rawCounts.where))
    return counts(rawCounts.where, options)
  const log = named === undefined ? [x, ...checked].find(isLog) : undefined
  if (log !== undefined) return logs(log, options)
  const best = checked.find(({ where }) => where === named) ?? x ?? checked[0]
  if (options.unsafeForce && best !== undefined) {
    const usable = [best, ...(named === undefined ? checked : [])].find(canBeForced)
    if (usable !== undefined) return forced(usable, options)
  }
  throw notFound(best, { ...options, checked })
}

function counts(where: string, { place, countsLayer }: ChooseOptions): ChosenCounts {
  const chosen: ChosenCounts = { matrix: where, from: 'counts', notices: [] }
  if (where === 'X' || where === countsLayer) return chosen
  const problem = `the raw counts were found in ${where} and are used in place of X`
  const remedy = 'Name another layer as the counts layer if that is not what you want'
  return { ...chosen, notices: [{ code: 'COUNTS_NOT_IN_X', place: `${place}:${where}`, problem, remedy }] }
}

function logs({ where, targetSum }: CheckedMatrix, { place, prefer }: ChooseOptions): ChosenCounts {
  const reason = prefer === 'x' && where === 'X' ? 'X was asked for' : 'no raw counts were found'
  const total = Math.round(targetSum ?? 0)
  const problem = `${reason}: ${where} holds logs of counts scaled to about ${total} a cell, and is used as it is`
  const remedy = 'Keep the raw counts in layers["counts"] for exact results'
  const notice = { code: 'COUNTS_LOGS_USED', place: `${place}:${where}`, problem, remedy }
  return { matrix: where, from: 'log1p_10k', notices: [notice] }
}

function canBeForced({ min, max, notFinite }: CheckedMatrix): boolean {
  return notFinite === 0 && min !== null && min >= 0 && (max ?? 0) > 0
}

function forced(matrix: CheckedMatrix, { place }: ChooseOptions): ChosenCounts {
  const isLog = matrix.state === 'log1p_cpm' || matrix.state === 'log1p_other'
  const done = isLog
    ? 'its logs are undone as natural logs and every cell is scaled anew'
    : 'it is normalised as if it were counts'
  const notice: ErrorReport = {
    code: 'NORM_UNSAFE_FORCED',
    place: `${place}:${matrix.where}`,
    problem: `it holds ${described(matrix)}, and was forced: ${done}. Labels and scores may be wrong`,
    remedy: 'Give a file with raw counts',
  }
  return { matrix: matrix.where, from: isLog ? 'log1p' : 'counts', notices: [notice] }
}

function notFound(
  matrix: CheckedMatrix | undefined,
  { place, countsLayer, checked }: ChooseOptions & { checked: readonly CheckedMatrix[] },
): BadInput {
  const where = matrix?.where ?? 'X'
  const looked = matrix === undefined ? [] : [matrix, ...checked.filter((other) => other !== matrix)]
  const seen =
    looked.map((one) => `${one.where} holds ${described(one)}`).join('; ') || 'there is no matrix in it'
  const missing = countsLayer === undefined ? 'no raw counts were found' : 'these are no raw counts'
  return new BadInput(
    'COUNTS_NOT_FOUND',
    `${place}:${where}`,
    `${missing}: ${seen}`,
    'Put the raw counts into X, raw.X or layers["counts"]; or name the layer that holds them; or give X as log1p of counts scaled to 10,000 a cell (sc.pp.normalize_total(adata, target_sum=1e4); sc.pp.log1p(adata))',
  )
}

const range = ({ min, max }: CheckedMatrix): string => `${shown(min)} to ${shown(max)}`

/** The state of a matrix in words. */
export function described(matrix: CheckedMatrix): string {
  const target = Math.round(matrix.targetSum ?? 0)
  if (matrix.state === 'raw') return 'raw counts'
  if (matrix.state === 'negative') return `negative values (${range(matrix)}), as scaled data have them`
  if (matrix.state === 'log1p_10k') return `logs of counts scaled to 10,000 a cell (median ${target})`
  if (matrix.state === 'log1p_cpm') return `logs of counts per million (median ${target})`
  if (matrix.state === 'log1p_other') return `what may be logs of counts scaled to ${target} a cell`
  if (matrix.state === 'linear') return `linear values that are no whole numbers (${range(matrix)})`
  if (matrix.max === 0) return 'nothing but zeros'
  return `values of no known kind (${range(matrix)})`
}

function shown(value: number | null): string {
  return value === null ? 'none' : String(Number(value.toPrecision(4)))
}
