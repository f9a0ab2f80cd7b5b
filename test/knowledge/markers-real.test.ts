/** Markers on real cells with independent labels: do they tell their type from all others? */
import { describe, expect, it } from 'vitest'
import { openCells } from '../../lib/data/open-cells.ts'
import { loadMarkers } from '../../lib/knowledge/markers.ts'
import { loadOntology } from '../../lib/knowledge/ontology.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

const [table, ontology] = await Promise.all([loadMarkers(), loadOntology()])

interface Labelled {
  terms: string[]
  /** mean log1p(10k) of the genes in each cell; undefined when the data have none of them */
  score(genes: readonly string[]): Float64Array | undefined
}

async function readLabelled(...parts: string[]): Promise<Labelled> {
  const file = await openCells(sharedPath('data', ...parts))
  try {
    const column = (await file.obs()).columns.get('cell_type_ontology_term_id')!
    if (column.kind !== 'categorical' || column.categories.kind !== 'string') throw new Error('no ids')
    const { codes } = column
    const { values: names } = column.categories
    const genes = new Map((await file.var()).index.map((name, gene) => [name, gene]))
    const rows: Map<number, number>[] = []
    for await (const slab of (await file.matrix('X')).slabs())
      for (let row = 0; row < slab.rows; row++) {
        const [from, to] = [slab.indptr[row]!, slab.indptr[row + 1]!]
        let total = 0
        for (let i = from; i < to; i++) total += slab.values[i]!
        const cells = new Map<number, number>()
        for (let i = from; i < to; i++)
          cells.set(slab.indices[i]!, Math.log1p((slab.values[i]! / Math.max(total, 1)) * 1e4))
        rows.push(cells)
      }
    return {
      terms: Array.from(codes, (code) => names[code] ?? 'unknown'),
      score(wanted) {
        const present = wanted.map((gene) => genes.get(gene)).filter((gene) => gene !== undefined)
        if (present.length === 0) return undefined
        return Float64Array.from(
          rows,
          (row) => present.reduce((sum, gene) => sum + (row.get(gene) ?? 0), 0) / present.length,
        )
      },
    }
  } finally {
    await file.close()
  }
}

/** How often a cell of the type scores above one that is neither of it nor of a wider or narrower type; ties count half. */
function separation({ terms, score }: Labelled, id: string): number {
  const scores = score(table.ofTerm(id)!.genes)!
  const isKin = (other: string) => ontology.ancestors(other).has(id) || ontology.ancestors(id).has(other)
  const own = scores.filter((_, cell) => terms[cell] === id)
  const others = scores
    .filter((_, cell) => terms[cell] !== id && terms[cell] !== 'unknown' && !isKin(terms[cell]!))
    .sort()
  let above = 0
  for (const one of own) above += (countBelow(others, one, false) + countBelow(others, one, true)) / 2
  return above / (own.length * others.length)
}

/** Of sorted values, those below a limit, or up to it. */
function countBelow(values: Float64Array, limit: number, withEqual: boolean): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! < limit || (withEqual && values[middle] === limit)) low = middle + 1
    else high = middle
  }
  return low
}

describe.runIf(hasShared)('markers on real cells with independent labels', () => {
  it('tell blood cells of another laboratory apart', async () => {
    const data = await readLabelled('pbmc4k_query', 'pbmc4k_soupx_labelled.h5ad')
    expect(separation(data, 'CL:0000236')).toBeGreaterThan(0.99) // B
    expect(separation(data, 'CL:0000113')).toBeGreaterThan(0.98) // mononuclear phagocyte
    expect(separation(data, 'CL:0000623')).toBeGreaterThan(0.97) // NK
    expect(separation(data, 'CL:0000625')).toBeGreaterThan(0.9) // CD8 T
    expect(separation(data, 'CL:0000624')).toBeGreaterThan(0.87) // CD4 T
  })

  it('tell sorted blood cells apart, lineages better than kinds of T cells', async () => {
    const data = await readLabelled('pbmc_sorted_ref', 'pbmc_sorted_zheng.h5ad')
    for (const id of ['CL:0000236', 'CL:0000623', 'CL:0001054'])
      expect(separation(data, id)).toBeGreaterThan(0.99)
    expect(separation(data, 'CL:0000900')).toBeGreaterThan(0.9) // naive CD8
    for (const id of ['CL:0000492', 'CL:0000897']) expect(separation(data, id)).toBeGreaterThan(0.78)
  })

  it('tell islet cells apart', async () => {
    const data = await readLabelled('pancreas_baron', 'baron_human_175.h5ad')
    for (const id of ['CL:0000169', 'CL:0000171', 'CL:0000173', 'CL:0000235', 'CL:0002410'])
      expect(separation(data, id), id).toBeGreaterThan(0.95)
  })
})
