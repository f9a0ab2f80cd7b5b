/**
 * What is odd about the labels of a reference, said and never stopped at: whoever learns from it decides. SpatialCore's consistency check
 * (a label with several ids, labels that hold a hierarchy) and the findings of the check before training.
 */
import type { ErrorReport } from '../job/errors.ts'
import { findLabelProblems } from '../prep/label-check.ts'
import { shownName, shownNames } from '../prep/shown-names.ts'
import type { LabelPair } from './label-tally.ts'

/** more labels than this are told of as too many, and not one by one */
const mostLabels = 20_000
const separators = [' > ', ' -> ', ';', '|'] as const

/** @param cells of each pair */
export function labelNotices(
  pairs: readonly LabelPair[],
  cells: Float64Array,
  { column, place }: { column: string; place: string },
): ErrorReport[] {
  const counts = new Map<string, number>()
  const ids = new Map<string, Set<string>>()
  let missing = 0
  let all = 0
  for (const [number, { label, id }] of pairs.entries()) {
    const own = cells[number]!
    if (own === 0) continue
    all += own
    if (label === '') missing += own
    else counts.set(label, (counts.get(label) ?? 0) + own)
    if (label === '' || id === '' || id === 'unknown') continue
    ids.set(label, (ids.get(label) ?? new Set()).add(id))
  }
  if (all === 0) return []
  const findings = findLabelProblems({ counts, missing, cells: all }).map(
    ({ code, message }): ErrorReport => ({
      ...{ code, place, problem: `in ${shownName(column)} ${message}` },
      remedy: 'Look at the table of labels before learning from them',
    }),
  )
  if (counts.size > mostLabels) return findings
  return [...findings, ...severalIds(ids, place), ...hierarchies([...counts.keys()], place)]
}

function severalIds(ids: ReadonlyMap<string, ReadonlySet<string>>, place: string): ErrorReport[] {
  const several = [...ids].filter(([, own]) => own.size > 1)
  if (several.length === 0) return []
  const shown = several
    .slice(0, 10)
    .map(([label, own]) => `${shownName(label)} (${shownNames([...own], { most: 4 })})`)
  const more = several.length > shown.length ? ` and ${several.length - shown.length} more` : ''
  const problem = `${several.length} labels stand with more than one Cell Ontology id: ${shown.join(', ')}${more}`
  return [
    {
      code: 'LABEL_SEVERAL_IDS',
      place,
      problem,
      remedy: 'Check which is meant; the most frequent one is used in training',
    },
  ]
}

function hierarchies(labels: readonly string[], place: string): ErrorReport[] {
  const found = labels.filter((label) => separators.some((separator) => label.includes(separator)))
  if (found.length === 0) return []
  const problem = `${found.length} labels seem to hold a hierarchy: ${shownNames(found)}`
  return [
    {
      code: 'LABEL_HIERARCHY',
      place,
      problem,
      remedy: 'Use a column with one name for each cell, or cut them',
    },
  ]
}
