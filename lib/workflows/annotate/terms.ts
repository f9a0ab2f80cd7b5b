/**
 * MatchOntology of `annotate`: the models' labels onto Cell Ontology terms. What the job file says comes first, then what a model brings
 * along, then the matcher, which reads a label among the others of its model. A label that means one term to one model and another to the
 * next has none: it stands in one column for both.
 */
import type { ErrorReport } from '../../job/errors.ts'
import { printable } from '../../job/object-key.ts'
import type { AnnotateSettings } from '../../job/settings/annotate.ts'
import { type LabelMatch, matchLabels } from '../../knowledge/ontology-match.ts'
import { loadCard } from '../../models/bundle.ts'
import { termsOfNetwork } from '../../models/network-card.ts'
import { isLinearCard, type StoredCard } from '../../models/stored-model.ts'
import type { TermRequest } from '../lambda-parts.ts'
import { checkGivenTerms, termsByLabel, unmappedNotices } from '../parts/label-terms.ts'
import { labellingOf } from './labelling.ts'

/** @throws BadInput ONTOLOGY_LABEL, ONTOLOGY_ID for terms in the job file that do not exist */
export async function annotateTerms({ settings, models, modelIds }: TermRequest<AnnotateSettings>) {
  const cards = (await Promise.all(modelIds.map((id) => loadCard(models, id)))).map((card) =>
    labelled(card, settings),
  )
  const given = cards.flatMap((card) => card.labels)
  const whose = cards.length === 1 ? 'the model' : 'the models'
  await checkGivenTerms(settings.ontology, { labels: given, whose })
  const byLabel = new Map<string, LabelMatch[]>()
  for (const card of cards)
    for (const match of await matchesOf(card, settings))
      byLabel.set(match.label, [...(byLabel.get(match.label) ?? []), match])
  const merged = [...byLabel.values()].map(oneOf)
  const labels = termsByLabel(merged.map(({ match }) => match))
  const differing = merged.filter(({ differs }) => differs).map(({ match }) => match)
  const notices = unmappedNotices(labels, cards.length === 1 ? 'labels of the model' : 'labels of the models')
  return { labels, notices: [...differingNotices(differing), ...notices] }
}

/** The labels that a model can give, and the terms that it brings along. */
interface Labelled {
  labels: readonly string[]
  terms: ReadonlyMap<string, string>
}

/** Labels of several columns of a reference are read together: one that stands in two means the same in both. */
function labelled(card: StoredCard, settings: AnnotateSettings): Labelled {
  if (!isLinearCard(card)) {
    const labels = new Set(labellingOf(card, settings).columns.flatMap((column) => column.labels))
    const terms = [...termsOfNetwork(card)].map(([label, { id }]) => [label, id] as const)
    return { labels: [...labels], terms: new Map(terms) }
  }
  const terms = Object.entries(card.ontology ?? {}).flatMap(([label, term]) =>
    term?.id ? [[label, term.id] as const] : [],
  )
  return { labels: card.labels, terms: new Map(terms) }
}

function matchesOf(card: Labelled, settings: AnnotateSettings): Promise<LabelMatch[]> {
  const existing = new Map(card.terms)
  for (const [label, term] of Object.entries(settings.ontology)) existing.set(label, term)
  return matchLabels(card.labels, { policy: settings.ontology_policy, existing })
}

/** What the models that have a label make of it together. */
function oneOf(matches: readonly LabelMatch[]): { match: LabelMatch; differs: boolean } {
  const found = new Map(matches.flatMap((match) => (match.id === null ? [] : [[match.id, match] as const])))
  const [first = matches[0]!, ...others] = found.values()
  if (others.length === 0) return { match: first, differs: false }
  const candidates = [first, ...others].map(({ id, name }) => ({ id: id!, name: name ?? id!, score: 1 }))
  const reason = 'the models that have this label mean different terms by it'
  const { label } = first
  const match = { label, id: null, name: null, tier: 'unmapped', score: null, candidates, reason } as const
  return { match, differs: true }
}

function differingNotices(matches: readonly LabelMatch[]): ErrorReport[] {
  if (matches.length === 0) return []
  const shown = matches
    .slice(0, 20)
    .map(({ label, candidates }) => `${printable(label)} (${candidates.map(({ id }) => id).join(', ')})`)
  const problem = `${matches.length} labels mean different Cell Ontology terms to the models that have them, and get none: ${shown.join('; ')}`
  const remedy = 'Say which is meant under "ontology" in the job file'
  return [{ code: 'ONTOLOGY_MODELS_DIFFER', place: 'labels of the models', problem, remedy }]
}
