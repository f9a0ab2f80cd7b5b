/**
 * Coarsening, as a step of its own: a term becomes the nearest term above it that imaging panels of some hundred genes tell apart.
 * SpatialCore does the like inside its matching, where "cDC1 is a DC" and "brush cell is an intestinal tuft cell" are accidents.
 */
import type { Ontology } from './ontology.ts'

export type Granularity = 'none' | 'spatial'

const spatial: readonly string[] = (
  'CL:0000084 CL:0000624 CL:0000625 CL:0000815 CL:0000798 CL:0000940 CL:0000814 CL:0000910 CL:0011025 CL:0000912 ' + // T
  'CL:0000236 CL:0000844 CL:0000787 CL:0000788 CL:0000980 CL:0000786 CL:0000987 CL:0000985 CL:0000986 ' + // B, plasma
  'CL:0000623 CL:0001065 CL:0001067 CL:0001069 CL:0001071 ' + // NK, ILC
  'CL:0000576 CL:0000860 CL:0000875 CL:0002393 CL:0000235 CL:0000863 CL:0000890 CL:0000583 CL:0000091 CL:0000129 ' +
  'CL:0000451 CL:0000784 CL:0002394 CL:0002399 CL:4047054 CL:0000453 CL:0000775 CL:0000767 CL:0000771 CL:0000097 ' +
  'CL:0000057 CL:0000186 CL:0000192 CL:0000669 CL:0000134 CL:0000499 CL:0000136 ' + // stromal
  'CL:0000115 CL:0002138 CL:1000413 CL:0002543 CL:0002144 CL:0000704 CL:0002671 ' + // endothelial
  'CL:0000066 CL:0000076 CL:0000164 CL:0000584 CL:1000347 CL:0000160 CL:0000510 CL:0002204 CL:0009010 CL:0002250 ' +
  'CL:0000064 CL:0000158 CL:0002062 CL:0002063 CL:0000646 CL:0000165 CL:0000182 CL:1000488 CL:0000632 CL:0002410 ' +
  'CL:0000312 CL:0000148 CL:0000171 CL:0000169 CL:0000173 CL:0002275 CL:0005019 CL:0002064 CL:0002079 ' + // epithelial
  'CL:0000127 CL:0000128 CL:0002453 CL:0002573 CL:0000125 CL:0000679 CL:0000617 CL:0000540 ' + // nervous
  'CL:0000037 CL:0000049 CL:0000557 CL:0000050 CL:0008001 CL:0000233 CL:0000232 CL:0000556 CL:0001064'
).split(' ')

const levels: Record<Exclude<Granularity, 'none'>, ReadonlySet<string>> = { spatial: new Set(spatial) }

/**
 * The term itself where it is of the level, or nothing of the level is above it, or several are and none below the others;
 * else the lowest of the level above it.
 */
export function coarsen(id: string, options: { ontology: Ontology; granularity: Granularity }): string {
  if (options.granularity === 'none') return id
  const level = levels[options.granularity]
  if (level.has(id)) return id
  const above = [...options.ontology.ancestors(id)].filter((one) => level.has(one))
  const lowest = above.filter((one) => !above.some((other) => options.ontology.ancestors(other).has(one)))
  return lowest.length === 1 ? lowest[0]! : id
}
