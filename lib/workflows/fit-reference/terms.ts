/** MatchOntology of `fit-reference`: the atlas's labels onto Cell Ontology terms: what the job says, then the ids beside the labels, then the matcher. */
import type { FitReferenceSettings } from '../../job/settings/fit-reference.ts'
import { existingTerms } from '../../knowledge/existing-terms.ts'
import { matchLabels } from '../../knowledge/ontology-match.ts'
import type { TermRequest } from '../lambda-parts.ts'
import { checkGivenTerms, termsByLabel, unmappedNotices } from '../parts/label-terms.ts'

const place = 'labels of the atlas'

/** @throws BadInput ONTOLOGY_LABEL, ONTOLOGY_ID for terms in the job file that do not exist */
export async function fitReferenceTerms({ settings, inputs }: TermRequest<FitReferenceSettings>) {
  const facts = inputs[0]?.facts.labels?.labels ?? []
  const known = facts.filter(({ label }) => label !== settings.unlabeled_category)
  const labels = known.map(({ label }) => label).sort()
  await checkGivenTerms(settings.ontology, { labels, whose: 'the atlas' })
  if (labels.length === 0) return { labels: {}, notices: [] }
  const brought = await existingTerms(
    known.map(({ label, ids }) => ({ label, ids: new Map(ids) })),
    { place },
  )
  const matches = await matchLabels(labels, {
    policy: settings.ontology_policy,
    existing: new Map([...brought.terms, ...Object.entries(settings.ontology)]),
  })
  const terms = termsByLabel(matches)
  return { labels: terms, notices: [...brought.notices, ...unmappedNotices(terms, place)] }
}
