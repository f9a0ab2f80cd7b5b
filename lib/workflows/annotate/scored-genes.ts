/**
 * Which genes of the query are scored at all: those that any model knows, in the order of the query. Shards hold these and no others, once
 * for all models; each model then finds its own among them.
 */

import { planOf } from '../parts/gene-maps.ts'
import type { GeneMaps } from '../workflow.ts'

export interface ScoredGenes {
  /** how many */
  columns: number
  /** of each gene of the query its column in the shards, or -1 */
  columnOf: Int32Array
  /** of each model, for each column its gene there, or -1 */
  targets: Int32Array[]
}

export function scoredGenes(maps: GeneMaps): ScoredGenes {
  const plans = maps.models.map(({ plan }) => planOf(maps, plan).target)
  const genes = plans[0]?.length ?? 0
  const columnOf = new Int32Array(genes).fill(-1)
  let columns = 0
  for (let gene = 0; gene < genes; gene++)
    if (plans.some((target) => target[gene]! >= 0)) columnOf[gene] = columns++
  const targets = plans.map((target) => {
    const own = new Int32Array(columns)
    for (let gene = 0; gene < genes; gene++) if (columnOf[gene]! >= 0) own[columnOf[gene]!] = target[gene]!
    return own
  })
  return { columns, columnOf, targets }
}
