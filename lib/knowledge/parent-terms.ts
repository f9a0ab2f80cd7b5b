/**
 * Which labels of a data set are wider than another of its labels, so that their cells are half-named ("T cell" beside "CD4 T
 * cell"). `parentLabels` is SpatialCore's rule (resolve_hierarchy remove_parents): words only, so "macrophage" is no parent of
 * "alveolar macrophage" for want of a second word, and "T cell" is one of "T cell lymphoma". `parentTerms` asks the is_a graph.
 */
import type { Ontology } from './ontology.ts'

export interface NamedId {
  id: string
  /** the commonest label of the id */
  label: string
}

/** By id, the ids that it is a parent of, in the order given; ids that are no parents are not here. */
export type Children = Map<string, string[]>

/** A is a parent of B when A has at least two words, and B has all of them and more. */
export function parentLabels(terms: readonly NamedId[]): Children {
  const words = terms.map(({ label }) => new Set(label.toLowerCase().match(/[a-z0-9]+/g) ?? []))
  return childrenOf(terms, (parent, child) => {
    const [wide, narrow] = [words[parent]!, words[child]!]
    return wide.size >= 2 && wide.size < narrow.size && [...wide].every((word) => narrow.has(word))
  })
}

/** A is a parent of B when B is_a A, directly or not. Ids that the ontology does not know are no parents and no children. */
export function parentTerms(terms: readonly NamedId[], ontology: Ontology): Children {
  return childrenOf(terms, (parent, child) => ontology.ancestors(terms[child]!.id).has(terms[parent]!.id))
}

function childrenOf(
  terms: readonly NamedId[],
  isParent: (parent: number, child: number) => boolean,
): Children {
  const children: Children = new Map()
  for (const [parent, { id }] of terms.entries()) {
    const below = terms.filter((other, child) => other.id !== id && isParent(parent, child))
    if (below.length > 0)
      children.set(id, [...new Set([...(children.get(id) ?? []), ...below.map((term) => term.id)])])
  }
  return children
}
