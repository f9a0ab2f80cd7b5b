/**
 * Which class the cells of each label train. Labels of one term are one class; a label without a term is a class of its own or is
 * left out, as told. SpatialCore names all labels without a term "Unknown" and trains a class of that name, so that what nobody
 * could map becomes a cell type that queries are given; here two such labels never meet in one class.
 */
import type { ErrorReport } from '../job/errors.ts'
import type { LabelMatch } from './ontology-match.ts'

export interface TrainingClass {
  /** what to group by: the id of the term, or the label behind "label:" */
  key: string
  /** the term's name, or the label; no two classes have the same */
  name: string
  /** null for a label without a term */
  id: string | null
  /** rising */
  labels: string[]
}

export interface TrainingClasses {
  /** by label; what is left out is not here */
  classOf: Map<string, TrainingClass>
  /** why a label is left out */
  dropped: Map<string, string>
  notices: ErrorReport[]
}

/**
 * @param options.unmapped labels without a term: 'own', each a class of its own, or 'drop'. What the review table keeps is kept either
 * way, and labels that name no cell type ("Other", "doublet") are left out either way.
 */
export function trainingClasses(
  matches: readonly LabelMatch[],
  { unmapped = 'own', place = 'labels' }: { unmapped?: 'own' | 'drop'; place?: string } = {},
): TrainingClasses {
  const byLabel = new Map(matches.map((match) => [match.label, match]))
  const classes = new Map<string, TrainingClass>()
  const classOf = new Map<string, TrainingClass>()
  const dropped = new Map<string, string>()
  for (const match of [...byLabel.values()].sort((a, b) => (a.label < b.label ? -1 : 1))) {
    const { label, id, tier } = match
    const reason = match.reason ?? (tier === 'skipped' ? 'the label names no cell type' : 'no term fits')
    if (tier === 'skipped' || (id === null && unmapped === 'drop' && tier !== 'reviewed')) {
      dropped.set(label, reason)
      continue
    }
    const key = id ?? `label:${label}`
    const known = classes.get(key) ?? { key, name: match.name ?? label, id, labels: [] }
    known.labels.push(label)
    classes.set(key, known)
    classOf.set(label, known)
  }
  separateNames([...classes.values()])
  return { classOf, dropped, notices: unmappedNotices(byLabel, { unmapped, place }) }
}

/** A label that is kept under its own name may be the name of a term that others have. */
function separateNames(classes: readonly TrainingClass[]): void {
  const taken = new Set(classes.filter(({ id }) => id !== null).map(({ name }) => name))
  for (const one of classes) {
    if (one.id !== null) continue
    while (taken.has(one.name)) one.name += ' (label)'
    taken.add(one.name)
  }
}

function unmappedNotices(
  byLabel: ReadonlyMap<string, LabelMatch>,
  { unmapped, place }: { unmapped: 'own' | 'drop'; place: string },
): ErrorReport[] {
  const open = [...byLabel.values()].filter(
    ({ id, tier }) => id === null && tier !== 'skipped' && tier !== 'reviewed',
  )
  if (open.length === 0) return []
  const few = open.slice(0, 5).map(({ label, candidates: [best] }) => {
    const perhaps = best === undefined ? '' : `, perhaps ${best.name} ${best.id}`
    return `"${label.slice(0, 60)}"${perhaps}`
  })
  const what = unmapped === 'own' ? 'each is a class of its own' : 'their cells train nothing'
  return [
    {
      code: 'ONTOLOGY_UNMAPPED',
      place,
      problem: `${open.length} labels have no Cell Ontology term; ${what}: ${few.join('; ')}${open.length > 5 ? '; ...' : ''}`,
      remedy: 'Decide in the review table what they are, and pass it back',
    },
  ]
}
