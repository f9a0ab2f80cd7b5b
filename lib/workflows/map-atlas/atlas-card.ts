/** What a job wants to know of its model before any weight is fetched: light, so that Lambdas are. */
import { BadInput } from '../../job/errors.ts'
import type { ObjectStore } from '../../job/store.ts'
import { loadNetworkCard } from '../../models/bundle.ts'
import type { NetworkCard } from '../../models/network-card.ts'

/** Without its weights. @throws BadInput MODEL_KIND for a model that cannot place and label cells */
export async function loadAtlasCard(models: ObjectStore, id: string): Promise<NetworkCard> {
  const card = await loadNetworkCard(models, id)
  if (card.kind !== 'scanvi') throw otherKind(card)
  return card
}

export function otherKind({ kind, name }: { kind: string; name: string }): BadInput {
  const what = kind === 'scvi' ? 'scVI, which knows no labels' : `of the kind ${kind}`
  return new BadInput(
    'MODEL_KIND',
    `model: ${name}`,
    `it is a model ${what}; mapping needs a SCANVI`,
    'Train one with fit-reference, or import a SCANVI of scvi-tools with import-model',
  )
}
