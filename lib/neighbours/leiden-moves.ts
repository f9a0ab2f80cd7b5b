/**
 * The first phase of Leiden (Traag, Waltman and van Eck 2019): nodes move to the neighbouring cluster, or an empty one, that gains most,
 * and only those whose surroundings changed are looked at again.
 */
import type { Random } from '../job/random.ts'
import type { Network } from './leiden-network.ts'
import { pause } from './pause.ts'

export interface PhaseOptions {
  resolution: number
  random: Random
  signal?: AbortSignal | undefined
}

/** nodes looked at between two looks at the event loop */
const nodesAtOnce = 50_000
/** gains below this share of the total weight are rounding */
export const negligible = 1e-14

/** Everything that a move changes. */
interface Moves {
  network: Network
  membership: Int32Array
  /** resolution / total weight: what a pair of strengths costs */
  cost: number
  /** sum of strengths of each cluster, and its nodes */
  strengths: Float64Array
  sizes: Int32Array
  empty: number[]
  /** ring of the nodes to look at */
  queue: Int32Array
  first: number
  waiting: number
  isWaiting: Uint8Array
  /** weight from the node at hand to each cluster, 0 between nodes; and the clusters where it is not */
  towards: Float64Array
  touched: Int32Array
}

/** Moves nodes until none gains; `membership` (cluster numbers below the number of nodes) is changed in place. */
export async function moveNodes(
  network: Network,
  membership: Int32Array,
  { resolution, random, signal }: PhaseOptions,
): Promise<void> {
  if (network.total === 0) return
  const { nodes } = network
  const moves: Moves = {
    network,
    membership,
    cost: resolution / network.total,
    strengths: new Float64Array(nodes),
    sizes: new Int32Array(nodes),
    empty: [],
    queue: shuffled(nodes, random),
    first: 0,
    waiting: nodes,
    isWaiting: new Uint8Array(nodes).fill(1),
    towards: new Float64Array(nodes),
    touched: new Int32Array(nodes),
  }
  for (let node = 0; node < nodes; node++) {
    moves.strengths[membership[node]!]! += network.strengths[node]!
    moves.sizes[membership[node]!]! += 1
  }
  for (let cluster = nodes - 1; cluster >= 0; cluster--)
    if (moves.sizes[cluster] === 0) moves.empty.push(cluster)
  while (moves.waiting > 0) {
    for (let i = 0; i < nodesAtOnce && moves.waiting > 0; i++) moveNext(moves)
    await pause(signal)
  }
}

function moveNext(moves: Moves): void {
  const { network, membership, queue, isWaiting, sizes, strengths, empty } = moves
  const node = queue[moves.first]!
  moves.first = moves.first + 1 === network.nodes ? 0 : moves.first + 1
  moves.waiting--
  isWaiting[node] = 0
  const from = membership[node]!
  const to = bestCluster(moves, node)
  if (to === from) return
  const strength = network.strengths[node]!
  if (to === empty.at(-1)) empty.pop()
  strengths[from]! -= strength
  strengths[to]! += strength
  sizes[to]! += 1
  sizes[from]! -= 1
  if (sizes[from] === 0) {
    strengths[from] = 0
    empty.push(from)
  }
  membership[node] = to
  for (let at = network.indptr[node]!; at < network.indptr[node + 1]!; at++) {
    const other = network.indices[at]!
    if (isWaiting[other] === 1 || membership[other] === to) continue
    isWaiting[other] = 1
    queue[(moves.first + moves.waiting) % network.nodes] = other
    moves.waiting++
  }
}

/** Where the node gains most: among the clusters of its neighbours, its own, and an empty one, which gains 0. */
function bestCluster(moves: Moves, node: number): number {
  const { network, membership, cost, strengths, sizes, empty, towards, touched } = moves
  const from = membership[node]!
  let count = 0
  for (let at = network.indptr[node]!; at < network.indptr[node + 1]!; at++) {
    const cluster = membership[network.indices[at]!]!
    if (towards[cluster] === 0) touched[count++] = cluster
    towards[cluster]! += network.weights[at]!
  }
  const strength = network.strengths[node]!
  let best = from
  let most = towards[from]! - cost * strength * (strengths[from]! - strength) + negligible * network.total
  if (sizes[from]! > 1 && most < 0) {
    best = empty.at(-1)!
    most = 0
  }
  for (let i = 0; i < count; i++) {
    const cluster = touched[i]!
    const gain = towards[cluster]! - cost * strength * strengths[cluster]!
    towards[cluster] = 0
    if (cluster === from || gain <= most) continue
    best = cluster
    most = gain
  }
  return best
}

/** The numbers 0 .. count - 1 in an order by chance. */
export function shuffled(count: number, random: Random): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1)
    const held = order[i]!
    order[i] = order[j]!
    order[j] = held
  }
  return order
}
