/**
 * The Cell Ontology ids that references bring along: which term each label has, and how many cells have one. SpatialCore gives every
 * cell of a label the commonest text that starts with "CL:", in use or not; here only terms in use count, replaced ones are
 * followed, and where a label has several terms it is said. A tie is no answer, unless one term is above all the others.
 */
import type { ErrorReport } from '../job/errors.ts'
import type { Ontology } from './ontology.ts'
import { cellOntologyId, loadOntology } from './ontology.ts'

export interface LabelIds {
  label: string
  /** ids as the file has them, with the cells of this label that have them */
  ids: ReadonlyMap<string, number>
}

export interface ExistingTerms {
  /** by label, the id of a term in use: what matchLabels takes as `existing` */
  terms: Map<string, string>
  notices: ErrorReport[]
}

const someOf = 5

/** @param rows one for each label of each reference; equal labels are added up */
export async function existingTerms(
  rows: readonly LabelIds[],
  { place = 'references' }: { place?: string } = {},
): Promise<ExistingTerms> {
  const ontology = await loadOntology()
  const tallies = new Map<string, Map<string, number>>()
  const replaced = new Map<string, string>()
  const unknown = new Set<string>()
  for (const { label, ids } of rows)
    for (const [text, cells] of ids) {
      const written = cellOntologyId(text)
      if (written === undefined || !(cells > 0)) continue
      const id = ontology.byId.has(written) ? written : ontology.replacedBy.get(written)
      if (id === undefined) unknown.add(written)
      else {
        if (id !== written) replaced.set(written, id)
        const tally = tallies.get(label) ?? new Map<string, number>()
        tallies.set(label, tally.set(id, (tally.get(id) ?? 0) + cells))
      }
    }
  const chosen = [...tallies].map(([label, tally]) => ({ label, tally, id: choose(tally, ontology) }))
  const notices = [
    replacedNotice(replaced, { place, ontology }),
    unknownNotice(unknown, { place, ontology }),
    severalNotice(chosen, place),
  ]
  return {
    terms: new Map(chosen.flatMap(({ label, id }) => (id === undefined ? [] : [[label, id]]))),
    notices: notices.filter((notice) => notice !== undefined),
  }
}

function choose(tally: ReadonlyMap<string, number>, ontology: Ontology): string | undefined {
  const most = Math.max(...tally.values())
  const best = [...tally.keys()].filter((id) => tally.get(id) === most)
  return best.find((id) => best.every((other) => other === id || ontology.ancestors(other).has(id)))
}

interface Context {
  place: string
  ontology: Ontology
}

function replacedNotice(replaced: ReadonlyMap<string, string>, { place, ontology }: Context) {
  if (replaced.size === 0) return undefined
  const told = [...replaced].map(([old, now]) => `${old} to ${now} (${ontology.byId.get(now)!.name})`)
  return {
    code: 'ONTOLOGY_ID_REPLACED',
    place,
    problem: `${replaced.size} Cell Ontology ids are out of use and were replaced: ${some(told)}`,
    remedy: 'Nothing, unless another term is meant',
  }
}

function unknownNotice(unknown: ReadonlySet<string>, { place, ontology }: Context) {
  if (unknown.size === 0) return undefined
  return {
    code: 'ONTOLOGY_ID_UNKNOWN',
    place,
    problem: `${unknown.size} Cell Ontology ids are not in use in ${ontology.version} and have no successor: ${some([...unknown])}`,
    remedy:
      'The labels of these cells are matched by their words; decide in the review table if that goes wrong',
  }
}

function severalNotice(
  chosen: readonly { label: string; tally: ReadonlyMap<string, number>; id: string | undefined }[],
  place: string,
) {
  const several = chosen.filter(({ tally }) => tally.size > 1)
  if (several.length === 0) return undefined
  const told = several.map(({ label, tally, id }) => {
    const ids = [...tally].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    const counts = ids.slice(0, someOf).map(([one, cells]) => `${one} ${cells} cells`)
    return `"${label.slice(0, 60)}" (${counts.join(', ')}; ${id === undefined ? 'none taken' : `${id} taken`})`
  })
  return {
    code: 'ONTOLOGY_SEVERAL_IDS',
    place,
    problem: `${several.length} labels have several Cell Ontology ids: ${some(told)}`,
    remedy: 'Give each label one id in the references, or decide in the review table',
  }
}

const some = (items: readonly string[]) =>
  items.slice(0, someOf).join('; ') + (items.length > someOf ? `; and ${items.length - someOf} more` : '')

/** Labels that hold a path or several types ("T > CD4 T", "B -> plasma", "T;NK", "T|NK"); undefined without any. */
export function hierarchicalLabels(labels: Iterable<string>, place: string): ErrorReport | undefined {
  const found = [...new Set(labels)].filter((label) => / > | -> |;|\|/.test(label))
  if (found.length === 0) return undefined
  return {
    code: 'LABELS_HIERARCHICAL',
    place,
    problem: `${found.length} labels hold a path or several cell types: ${some(found.map((label) => `"${label.slice(0, 60)}"`))}`,
    remedy: 'Name a column with one level of cell types, or decide in the review table',
  }
}

export interface SourceIds {
  source: string
  cells: number
  /** ids as the file has them and how many cells have each, equal ones added up; undefined without a column of ids */
  ids: Iterable<readonly [id: string, cells: number]> | undefined
}

interface Coverage {
  nCells: number
  nWithIds: number
  /** share of cells with an id; 0 without cells */
  coverage: number
}

export interface IdCoverage {
  hasColumn: boolean
  coverage: number
  nWithIds: number
  nWithoutIds: number
  /** as 'CL:0000084', rising */
  uniqueIds: string[]
  bySource: Map<string, Coverage>
}

/**
 * How many cells have a Cell Ontology id (SpatialCore's has_ontology_ids): in its spelling, in use or not.
 * @throws RangeError when more cells have ids than there are
 */
export function idCoverage(sources: readonly SourceIds[]): IdCoverage {
  const unique = new Set<string>()
  const tallies = new Map<string, Coverage>()
  for (const { source, cells, ids = [] } of sources) {
    const before = tallies.get(source)
    const nCells = cells + (before?.nCells ?? 0)
    let nWithIds = before?.nWithIds ?? 0
    for (const [text, count] of ids) {
      const id = cellOntologyId(text)
      if (id === undefined || !(count > 0)) continue
      unique.add(id)
      nWithIds += count
    }
    if (nWithIds > nCells) throw new RangeError(`${nWithIds} cells of ${nCells} have ids`)
    tallies.set(source, { nCells, nWithIds, coverage: share(nWithIds, nCells) })
  }
  const sum = (of: 'nCells' | 'nWithIds') => [...tallies.values()].reduce((total, one) => total + one[of], 0)
  const [nCells, nWithIds] = [sum('nCells'), sum('nWithIds')]
  return {
    hasColumn: sources.some(({ ids }) => ids !== undefined),
    coverage: share(nWithIds, nCells),
    nWithIds,
    nWithoutIds: nCells - nWithIds,
    uniqueIds: [...unique].sort(),
    bySource: tallies,
  }
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)
