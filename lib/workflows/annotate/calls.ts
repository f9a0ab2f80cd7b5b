/**
 * What the models say of each cell alone. Every model is asked about every cell; the one that is surest of its own best label gives all that
 * is said of the cell: label, second label, margin, uncertainty. With one model that is CellTypist's annotation.
 */
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { confidence, uncertainty } from '../../labels/confidence.ts'
import { bestMatch, probabilityMatch } from '../../labels/match.ts'
import { cellsWon, claimsOf } from '../../labels/model-choice.ts'
import { probabilitiesOf } from '../../labels/probabilities.ts'
import type { Coded } from '../parts/coded.ts'
import { takenRows } from '../parts/placed-rows.ts'
import type { ScoringCard, ScoringModels } from './scoring-models.ts'

export interface Calls {
  /** number of the model that was surest */
  model: Int32Array
  /** -1 for a cell that no model could say anything of */
  own: Coded
  /** of its best label, as the model gives it; NaN where no model could score the cell */
  probability: Float32Array
  /** 1 for such a cell */
  uncertainty: Float32Array
  /** numbers among the labels of all models, and how far they are behind; null where they are not wanted */
  second: Int32Array | null
  margin: Float32Array | null
}

export async function callCells(
  models: ScoringModels,
  { cells, settings }: { cells: number; settings: AnnotateSettings },
): Promise<Calls> {
  const isBest = settings.mode === 'best_match'
  const calls = {
    model: new Int32Array(cells),
    labels: new Int32Array(isBest ? cells : 0).fill(-1),
    matches: new Array<string | null>(isBest ? 0 : cells).fill(null),
    probability: new Float32Array(cells).fill(Number.NaN),
    uncertainty: new Float32Array(cells).fill(1),
    second: settings.write_second ? new Int32Array(cells).fill(-1) : null,
    margin: settings.write_second ? new Float32Array(cells) : null,
  }
  const best = new Float64Array(cells).fill(Number.NEGATIVE_INFINITY)
  for (const [index, { labels, loss }] of models.cards.entries()) {
    const all = await models.scores(index)
    const won = cellsWon(claimsOf(all, { labels: labels.length, loss }), best)
    const places = models.places[index]!
    const said = sayingsOf(takenRows(all, { rows: won, width: labels.length }), { labels, loss, settings })
    for (const [at, cell] of won.entries()) {
      calls.model[cell] = index
      calls.probability[cell] = said.highest[at]!
      calls.uncertainty[cell] = said.unsure[at]!
      if (said.own !== null) calls.labels[cell] = places[said.own[at]!]!
      if (said.matches !== null) calls.matches[cell] = said.matches[at]!
      if (said.next === null) continue
      calls.second![cell] = places[said.next.second[at]!]!
      calls.margin![cell] = said.next.margin[at]!
    }
  }
  const own = isBest ? { codes: calls.labels, categories: models.labels } : codedMatches(calls.matches)
  return { ...calls, own }
}

/** What one model says of these cells, in numbers of its own labels; null where it was not asked. */
function sayingsOf(
  scores: Float32Array,
  { labels, loss, settings }: Pick<ScoringCard, 'labels' | 'loss'> & { settings: AnnotateSettings },
) {
  const width = labels.length
  const isBest = settings.mode === 'best_match'
  const probabilities = probabilitiesOf(scores, { labels: width, loss })
  const normalised = settings.uncertainty === 'normalised'
  return {
    highest: confidence(probabilities, { labels: width }),
    unsure: uncertainty(probabilities, { labels: width, normalised }),
    own: isBest ? bestMatch(scores, width) : null,
    matches: isBest ? null : probabilityMatch(probabilities, { threshold: settings.p_threshold, labels }),
    next: settings.write_second ? secondOf(probabilities, width) : null,
  }
}

function codedMatches(matches: readonly (string | null)[]): Coded {
  const categories = [...new Set(matches)].filter((match) => match !== null).sort()
  const codeOf = new Map(categories.map((match, code) => [match, code]))
  return {
    codes: Int32Array.from(matches, (match) => (match === null ? -1 : codeOf.get(match)!)),
    categories,
  }
}

function secondOf(probabilities: Float32Array, labels: number): { second: Int32Array; margin: Float32Array } {
  const cells = probabilities.length / labels
  const second = new Int32Array(cells)
  const margin = new Float32Array(cells)
  const best = bestMatch(probabilities, labels)
  for (let cell = 0; cell < cells; cell++) {
    const start = cell * labels
    let found = best[cell] === 0 ? 1 : 0
    for (let k = 0; k < labels; k++)
      if (k !== best[cell] && probabilities[start + k]! > probabilities[start + found]!) found = k
    second[cell] = found
    margin[cell] = probabilities[start + best[cell]!]! - probabilities[start + found]!
  }
  return { second, margin }
}
