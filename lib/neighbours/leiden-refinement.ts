/**
 * The second phase of Leiden (Traag, Waltman and van Eck 2019): within each cluster, nodes start alone and merge with others that they are
 * well connected to, by chance in proportion to exp(gain / theta). What results can be split later, and is connected: this is what
 * sets Leiden apart from Louvain.
 */
import { negligible, type PhaseOptions, shuffled } from './leiden-moves.ts'
import { type Network, numberedByFirst } from './leiden-network.ts'
import { pause } from './pause.ts'

const nodesAtOnce = 50_000

interface Refinement {
  network: Network
  /** the clusters that are refined */
  membership: Int32Array
  refined: Int32Array
  cost: number
  theta: number
  random: PhaseOptions['random']
  /** sum of strengths of each cluster */
  clusterStrengths: Float64Array
  /** of each refined cluster: nodes, sum of strengths, weight to the rest of its cluster */
  sizes: Int32Array
  strengths: Float64Array
  outward: Float64Array
  /** weight from the node at hand to each refined cluster, 0 between nodes; the candidates and their gains */
  towards: Float64Array
  candidates: Int32Array
  gains: Float64Array
}

/**
 * @param options.theta how freely nodes merge where they gain less than most, in the unit of weights
 * @returns the refined clusters, numbered 0 .. count - 1 by their first node
 */
export async function refine(
  network: Network,
  membership: Int32Array,
  { resolution, random, signal, theta }: PhaseOptions & { theta: number },
): Promise<{ refined: Int32Array; count: number }> {
  const { nodes } = network
  const state: Refinement = {
    network,
    membership,
    refined: Int32Array.from({ length: nodes }, (_, node) => node),
    cost: network.total === 0 ? 0 : resolution / network.total,
    theta,
    random,
    clusterStrengths: new Float64Array(nodes),
    sizes: new Int32Array(nodes).fill(1),
    strengths: network.strengths.slice(),
    outward: new Float64Array(nodes),
    towards: new Float64Array(nodes),
    candidates: new Int32Array(nodes),
    gains: new Float64Array(nodes),
  }
  for (let node = 0; node < nodes; node++) {
    state.clusterStrengths[membership[node]!]! += network.strengths[node]!
    for (let at = network.indptr[node]!; at < network.indptr[node + 1]!; at++)
      if (membership[network.indices[at]!] === membership[node]) state.outward[node]! += network.weights[at]!
  }
  const order = shuffled(nodes, random)
  for (let i = 0; i < nodes; i++) {
    const node = order[i]!
    if (state.sizes[state.refined[node]!] === 1 && isWellConnected(state, node)) mergeByChance(state, node)
    if ((i + 1) % nodesAtOnce === 0) await pause(signal)
  }
  const count = numberedByFirst(state.refined)
  return { refined: state.refined, count }
}

/** A set of nodes that has at least the weight to the rest of its cluster that chance would give it. */
function isWellConnected(
  { network, membership, cost, clusterStrengths, strengths, outward }: Refinement,
  set: number,
): boolean {
  const rest = clusterStrengths[membership[set]!]! - strengths[set]!
  return outward[set]! >= cost * strengths[set]! * rest - negligible * network.total
}

/** Merges a node that is alone with one of the refined clusters around it, or leaves it alone, which gains 0. */
function mergeByChance(state: Refinement, node: number): void {
  const { network, membership, refined, cost, strengths, towards, candidates, gains } = state
  let count = 0
  for (let at = network.indptr[node]!; at < network.indptr[node + 1]!; at++) {
    const other = network.indices[at]!
    if (membership[other] !== membership[node]) continue
    const part = refined[other]!
    if (towards[part] === 0) candidates[count++] = part
    towards[part]! += network.weights[at]!
  }
  let most = 0
  for (let i = 0; i < count; i++) {
    const part = candidates[i]!
    const gain = towards[part]! - cost * strengths[node]! * strengths[part]!
    gains[i] = gain >= 0 && isWellConnected(state, part) ? gain : Number.NEGATIVE_INFINITY
    if (gains[i]! > most) most = gains[i]!
  }
  const chosen = choose(state, { count, most })
  if (chosen !== undefined) merge(state, { node, part: chosen, weight: towards[chosen]! })
  for (let i = 0; i < count; i++) towards[candidates[i]!] = 0
}

/** One of the candidates, or none, by chance in proportion to exp(gain / theta); `most` is taken off so that it stays finite. */
function choose(
  { candidates, gains, theta, random }: Refinement,
  { count, most }: { count: number; most: number },
): number | undefined {
  const alone = Math.exp(-most / theta)
  let total = alone
  for (let i = 0; i < count; i++) {
    gains[i] = Math.exp((gains[i]! - most) / theta)
    total += gains[i]!
  }
  let left = random.uniform() * total - alone
  if (left < 0) return undefined
  let chosen: number | undefined
  for (let i = 0; i < count && left >= 0; i++) {
    if (gains[i] === 0) continue
    chosen = candidates[i]!
    left -= gains[i]!
  }
  return chosen
}

function merge(
  { refined, sizes, strengths, outward }: Refinement,
  { node, part, weight }: { node: number; part: number; weight: number },
): void {
  refined[node] = part
  sizes[part]! += 1
  strengths[part]! += strengths[node]!
  outward[part]! += outward[node]! - 2 * weight
  sizes[node] = 0
}
