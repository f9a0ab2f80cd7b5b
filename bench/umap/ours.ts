/**
 * Our half of bench/umap: one task in a process of its own, one JSON line. `ours.ts generate FOLDER CELLS`, `ours.ts umap|leiden FOLDER`.
 * The folder holds points, their neighbours (by our exact search, so that both sides start from the same) and the layouts made.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { random } from '../../lib/job/random.ts'
import { fuzzyGraph } from '../../lib/neighbours/fuzzy-graph.ts'
import { leiden } from '../../lib/neighbours/leiden.ts'
import { nearestNeighbours } from '../../lib/neighbours/nearest-neighbours.ts'
import type { Neighbours } from '../../lib/neighbours/points.ts'
import { layOut } from '../../lib/neighbours/umap.ts'

const [dims, groups, k] = [30, 20, 15]
const peakMib = (): number => process.resourceUsage().maxRSS / 1024

/** Groups that overlap, each stretched along a direction of its own: clusters and gradients, as cells have. */
async function generate(folder: string, cells: number): Promise<object> {
  const chance = random(0)
  const normals = (count: number, scale: number): Float64Array =>
    Float64Array.from({ length: count }, () => chance.normal() * scale)
  const [centres, directions] = [normals(groups * dims, 0.8), normals(groups * dims, 0.4)]
  const values = new Float32Array(cells * dims)
  for (let cell = 0; cell < cells; cell++) {
    const group = chance.integer(groups) * dims
    const along = 4 * chance.uniform() - 2
    for (let j = 0; j < dims; j++)
      values[cell * dims + j] = centres[group + j]! + along * directions[group + j]! + chance.normal()
  }
  const { indices, distances } = await nearestNeighbours(
    { rows: cells, dims, values },
    { k, metric: 'euclidean', method: 'exact', seed: 0 },
  )
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'points'), values)
  writeFileSync(join(folder, 'indices'), indices)
  writeFileSync(join(folder, 'distances'), distances)
  return { cells }
}

function readNeighbours(folder: string): Neighbours {
  const bytes = (name: string): ArrayBuffer => Uint8Array.from(readFileSync(join(folder, name))).buffer
  const indices = new Int32Array(bytes('indices'))
  return { rows: indices.length / k, k, indices, distances: new Float32Array(bytes('distances')) }
}

/** From neighbours to places: graph, start and descent. */
async function umap(folder: string): Promise<object> {
  const neighbours = readNeighbours(folder)
  const base = peakMib()
  const started = performance.now()
  const layout = await layOut(neighbours, { seed: 0 })
  const seconds = (performance.now() - started) / 1000
  const peak = peakMib() - base
  writeFileSync(join(folder, 'layout-ours'), layout)
  return { seconds, peak_mib: peak }
}

async function cluster(folder: string): Promise<object> {
  const graph = fuzzyGraph(readNeighbours(folder))
  const base = peakMib()
  const started = performance.now()
  const { clusters, modularity } = await leiden(graph, { resolution: 1, seed: 0, iterations: 2 })
  const seconds = (performance.now() - started) / 1000
  return { seconds, clusters, modularity, entries: graph.indices.length, peak_mib: peakMib() - base }
}

const [task, folder = '', cells = ''] = process.argv.slice(2)
const tasks: Record<string, () => Promise<object>> = {
  generate: () => generate(folder, Number(cells)),
  umap: () => umap(folder),
  leiden: () => cluster(folder),
}
console.log(JSON.stringify(await tasks[task ?? '']?.()))
