/**
 * From the labels of references to the classes that are learnt: labels with one Cell Ontology id are one class, called as the ontology calls
 * it, or every label is its own.
 */
import type { TypeCellsSettings } from '../../job/settings/type-cells.ts'
import type { LabelMatch } from '../../knowledge/ontology-match.ts'
import { trainingClasses } from '../../knowledge/training-classes.ts'
import type { LabelTerm } from '../workflow.ts'

export interface CellClass {
  name: string
  /** Cell Ontology id and name; null where it has none */
  id: string | null
  termName: string | null
  /** how the term was found, and how well it fits: of the label of the class that fits least */
  tier: string
  score: number | null
  /** of the references, that are this class */
  labels: string[]
}

/** @returns the classes in order of their names, and for each label its class; those that are left out have none */
export function classesOf(
  labels: readonly string[],
  { terms, settings }: { terms: Readonly<Record<string, LabelTerm>>; settings: TypeCellsSettings },
): { classes: CellClass[]; classOf: Map<string, number> } {
  // a label may be called "constructor"
  const termOf = (label: string) => (Object.hasOwn(terms, label) ? terms[label]! : notAsked)
  const matches = labels.map((label): LabelMatch => ({ label, ...termOf(label) }))
  const unmapped = settings.unmapped_labels === 'drop' && settings.add_ontology ? 'drop' : 'own'
  const { classOf } = trainingClasses(matches, { unmapped })
  const byName = new Map<string, CellClass>()
  const nameOf = new Map<string, string>()
  for (const match of matches) {
    const { label, id, name: termName, tier, score } = match
    const found = classOf.get(label)
    if (found === undefined) continue
    const name = settings.group_by === 'label' ? label : found.name
    nameOf.set(label, name)
    const known = byName.get(name)
    if (known === undefined) byName.set(name, { name, id, termName, tier, score, labels: [label] })
    else {
      known.labels.push(label)
      if ((score ?? 0) < (known.score ?? 0)) Object.assign(known, { tier, score })
    }
  }
  const classes = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const number = new Map(classes.map(({ name }, at) => [name, at]))
  return { classes, classOf: new Map([...nameOf].map(([label, name]) => [label, number.get(name)!])) }
}

const notAsked: LabelTerm = { id: null, name: null, tier: 'unmapped', score: null, candidates: [] }
