/** Labels with their Cell Ontology terms: what the job file gives is checked, what is left without one is told. */
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'
import { loadOntology } from '../../knowledge/ontology.ts'
import type { LabelMatch } from '../../knowledge/ontology-match.ts'
import type { LabelTerm } from '../workflow.ts'

export function termsByLabel(matches: readonly LabelMatch[]): Record<string, LabelTerm> {
  const labels: Record<string, LabelTerm> = Object.create(null)
  for (const { label, ...term } of matches) labels[label] = term
  return labels
}

/** @throws BadInput ONTOLOGY_LABEL, ONTOLOGY_ID for terms in the job file that do not exist */
export async function checkGivenTerms(
  given: Readonly<Record<string, string>>,
  { labels, whose }: { labels: readonly string[]; whose: string },
): Promise<void> {
  const { byId } = await loadOntology()
  for (const [label, id] of Object.entries(given)) {
    const place = `ontology: ${printable(label)}`
    if (!labels.includes(label)) {
      const remedy = `Labels: ${labels.slice(0, 50).join(', ')}`
      throw new BadInput('ONTOLOGY_LABEL', place, `there is no such label in ${whose}`, remedy)
    }
    if (!byId.has(id)) {
      const problem = `${id} is no current term of the Cell Ontology`
      throw new BadInput('ONTOLOGY_ID', place, problem, 'Look it up at https://www.ebi.ac.uk/ols4')
    }
  }
}

export function unmappedNotices(labels: Readonly<Record<string, LabelTerm>>, place: string): ErrorReport[] {
  const unmapped = Object.entries(labels).filter(
    ([, { id, tier }]) => id === null && tier !== 'skipped' && tier !== 'reviewed',
  )
  if (unmapped.length === 0) return []
  const names = unmapped.map(([label]) => printable(label).slice(0, 100)).slice(0, 20)
  const problem = `${unmapped.length} of ${Object.keys(labels).length} labels have no Cell Ontology id: ${names.join(', ')}`
  const remedy = 'Give their ids under "ontology" in the job file; candidates are in the table of labels'
  return [{ code: 'ONTOLOGY_UNMAPPED', place, problem, remedy }]
}
