/** What a job wants to know of its model before any weight is fetched: light, so that Lambdas are. */
import { BadInput } from '../../job/errors.ts'
import type { ObjectStore } from '../../job/store.ts'
import type { Species } from '../../knowledge/genes.ts'
import { loadNetworkCard } from '../../models/bundle.ts'
import type { NetworkCard } from '../../models/network-card.ts'
import type { ScviSetup } from '../../models/scvi-model.ts'

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

/** obs columns besides the batch that it was trained with. */
export function covariateColumns({ categorical, continuous }: ScviSetup): string[] {
  return [...categorical.flatMap(({ column }) => (column === null ? [] : [column])), ...continuous]
}

/** Models say their organism in words; of others than these two there is no table of genes. */
export function speciesOf(organism: string): Species | null {
  return organism === 'Homo sapiens' || organism === 'Mus musculus' ? organism : null
}
