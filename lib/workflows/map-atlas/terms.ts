/** MatchOntology of `map-atlas`: what the job says of a label comes first, then what the model brings along, then the matcher. */
import type { MapAtlasSettings } from '../../job/settings/map-atlas.ts'
import { matchLabels } from '../../knowledge/ontology-match.ts'
import { labelsOfNetwork, termsOfNetwork } from '../../models/network-card.ts'
import type { TermRequest } from '../lambda-parts.ts'
import { checkGivenTerms, termsByLabel, unmappedNotices } from '../parts/label-terms.ts'
import { loadAtlasCard } from './atlas-card.ts'

/** @throws BadInput MODEL_KIND; ONTOLOGY_LABEL, ONTOLOGY_ID for terms in the job file that do not exist */
export async function mapAtlasTerms({ settings, models, modelIds }: TermRequest<MapAtlasSettings>) {
  const card = await loadAtlasCard(models, modelIds[0]!)
  const given = [...labelsOfNetwork(card)]
  await checkGivenTerms(settings.ontology, { labels: given, whose: 'the model' })
  const existing = new Map<string, string>()
  for (const [label, term] of termsOfNetwork(card)) existing.set(label, term.id)
  for (const [label, term] of Object.entries(settings.ontology)) existing.set(label, term)
  const labels = termsByLabel(await matchLabels(given, { policy: settings.ontology_policy, existing }))
  return { labels, notices: unmappedNotices(labels, 'labels of the model') }
}
