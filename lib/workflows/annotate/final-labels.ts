/**
 * From what each cell was called alone to the label that it ends up with: the vote of its cluster, then `min_confidence`, below which a cell
 * is "Unassigned", as SpatialCore's annotate_celltypist has it. There the highest probability counts whatever the vote gave; here it
 * is that of the label given. Trap: probabilities are float32, so the bound is rounded to float32 too, or a cell exactly at 0.7 would be below it.
 */
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { confidence } from '../../labels/confidence.ts'
import { heterogeneous, type Vote } from '../../labels/majority-vote.ts'
import { unassigned } from '../../labels/match.ts'
import type { Coded } from '../parts/coded.ts'
import type { Calls } from './calls.ts'
import type { ScoringModels } from './scoring-models.ts'

export interface FinalLabels {
  labels: Coded
  /** the labels before `min_confidence`, counted by the categories of `labels`; null where the job asks for none */
  raw: Int32Array | null
  /** 1 - probability of the label before `min_confidence`: 0 sure, 1 unsure */
  uncertainty: Float32Array
}

/** @param of.vote null where there was none */
export async function finalLabels(
  models: ScoringModels,
  { calls, vote, settings }: { calls: Calls; vote: Vote | null; settings: AnnotateSettings },
): Promise<FinalLabels> {
  const given = vote === null ? calls.own : votedLabels(calls.own, vote)
  const isNormalised = settings.uncertainty === 'normalised'
  const voted = (shares: boolean) => votedProbability(models, { calls, given, isNormalised: shares })
  const sure = vote === null ? null : await voted(isNormalised)
  const uncertainty = sure === null ? calls.uncertainty : sure.map((value) => 1 - value)
  if (settings.min_confidence === 0) return { labels: given, raw: null, uncertainty }
  const asGiven = sure === null || !isNormalised ? sure : await voted(false)
  const probability = asGiven ?? calls.probability
  return { ...leaveUnsure(given, { probability, least: settings.min_confidence }), uncertainty }
}

/**
 * Cells whose probability is below `least` (strictly), or is no number, are "Unassigned".
 * @returns the labels now and before, both counted by the categories of the first
 */
export function leaveUnsure(
  given: Coded,
  { probability, least }: { probability: Float32Array; least: number },
): { labels: Coded; raw: Int32Array } {
  const { categories, code: none } = withCategory(given.categories, unassigned)
  const bound = Math.fround(least)
  const codes = given.codes.map((code, cell) => (probability[cell]! >= bound ? code : none))
  return { labels: { codes, categories }, raw: given.codes }
}

/** A cell that no model could say anything of, and that is in no cluster, stays without a label. */
function votedLabels(own: Coded, { cells, cellShares }: Vote): Coded {
  const { categories, code: none } = withCategory(own.categories, heterogeneous)
  const isVoted = (cell: number) => !Number.isNaN(cellShares[cell]!)
  return {
    codes: cells.map((code, cell) => (code < 0 && isVoted(cell) ? none : code)),
    categories,
  }
}

/** A class of a model may have such a name too, and a column has no two categories of one name. */
function withCategory(categories: string[], name: string): { categories: string[]; code: number } {
  const code = categories.indexOf(name)
  return code < 0 ? { categories: [...categories, name], code: categories.length } : { categories, code }
}

/**
 * How probable the labels of a vote are. A label that was voted for has the cell's own probability of it, as CellTypist's conf_score has
 * it: the highest that any model gives. What is no label of a model (no winner, a list of labels) has that of the cell's own best label.
 */
async function votedProbability(
  models: ScoringModels,
  { calls, given, isNormalised }: { calls: Calls; given: Coded; isNormalised: boolean },
): Promise<Float32Array> {
  const numbers = new Map(models.labels.map((label, number) => [label, number]))
  const classes = given.categories.map((category) => numbers.get(category) ?? -1)
  const classOf = given.codes.map((code) => (code < 0 ? -1 : classes[code]!))
  const sure = new Float32Array(given.codes.length)
  for (const [index, { labels }] of models.cards.entries()) {
    const places = new Int32Array(models.labels.length).fill(-1)
    for (const [k, number] of models.places[index]!.entries()) places[number] = k
    const voted = classOf.map((number) => (number < 0 ? -1 : places[number]!))
    const probabilities = await models.probabilities(index)
    const shares = isNormalised ? sharesOf(probabilities, labels.length) : probabilities
    const own = confidence(shares, { labels: labels.length, voted })
    for (const [cell, value] of own.entries()) {
      const isItsOwn = classOf[cell]! < 0 && given.codes[cell]! >= 0 && calls.model[cell] === index
      // a cell that a model could not score has no number
      if ((voted[cell]! >= 0 || isItsOwn) && value > sure[cell]!) sure[cell] = value
    }
  }
  return sure
}

function sharesOf(probabilities: Float32Array, labels: number): Float32Array {
  const shares = new Float32Array(probabilities.length)
  for (let start = 0; start < probabilities.length; start += labels) {
    const sum = probabilities.subarray(start, start + labels).reduce((total, value) => total + value, 0)
    for (let k = start; k < start + labels; k++) shares[k] = sum === 0 ? 1 / labels : probabilities[k]! / sum
  }
  return shares
}
