/**
 * MatchOntology of `annotate`: the model's labels onto Cell Ontology terms. What the job file says comes first, then what the model brings
 * along, then the matcher.
 */
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { matchLabels } from '../../knowledge/ontology-match.ts'
import { loadCard } from '../../models/bundle.ts'
import type { TermRequest } from '../lambda-parts.ts'
import { checkGivenTerms, termsByLabel, unmappedNotices } from '../parts/label-terms.ts'

/** @throws BadInput ONTOLOGY_LABEL, ONTOLOGY_ID for terms in the job file that do not exist */
export async function annotateTerms({ settings, models, model }: TermRequest<AnnotateSettings>) {
  if (model === null) throw new Error('annotate without a model')
  const card = await loadCard(models, model)
  const existing = new Map<string, string>()
  for (const [label, term] of Object.entries(card.ontology ?? {})) if (term?.id) existing.set(label, term.id)
  for (const [label, term] of Object.entries(settings.ontology)) existing.set(label, term)
  await checkGivenTerms(settings.ontology, { labels: card.labels, whose: 'the model' })
  const matches = await matchLabels(card.labels, { policy: settings.ontology_policy, existing })
  const labels = termsByLabel(matches)
  return { labels, notices: unmappedNotices(labels, 'labels of the model') }
}
