/** One task of bench/neighbours in a process of its own: prints seconds, peak memory and checks as one line of JSON. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nearestNeighbours } from '../../lib/neighbours/nearest-neighbours.ts'
import { pca } from '../../lib/neighbours/pca.ts'
import type { Neighbours } from '../../lib/neighbours/points.ts'
import { logCounts } from '../../test/neighbours/sparse-tables.ts'
import { groupedPoints } from '../../test/neighbours/tables.ts'

const [task = '', folder = '', rowsText = '0'] = process.argv.slice(2)
const rows = Number(rowsText)
const [dims, k, genes] = [30, 31, 2000]

function numbers<Numbers>(name: string, Kind: new (buffer: ArrayBuffer) => Numbers): Numbers {
  const bytes = readFileSync(join(folder, name))
  return new Kind(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

function generate(): void {
  writeFileSync(join(folder, `points-${rows}.bin`), groupedPoints(rows, { dims, groups: 15 }).values)
}

function generateCounts(): void {
  const { indptr, indices, values } = logCounts(rows, { columns: genes, density: 0.09, groups: 15 })
  writeFileSync(join(folder, 'values.bin'), values)
  writeFileSync(join(folder, 'indices.bin'), indices)
  writeFileSync(join(folder, 'indptr.bin'), Int32Array.from(indptr))
}

async function search(method: 'exact' | 'approximate'): Promise<object> {
  const values = numbers(`points-${rows}.bin`, Float32Array)
  const start = performance.now()
  const found = await nearestNeighbours({ rows, dims, values }, { k, metric: 'euclidean', method, seed: 1 })
  const seconds = (performance.now() - start) / 1000
  if (method === 'exact') writeFileSync(join(folder, `exact-${rows}.bin`), found.indices)
  return { seconds, recall: recallOf(found) }
}

/** Against what the exact search of the first round wrote; that one is compared with the peer's by main.ts. */
function recallOf({ indices }: Pick<Neighbours, 'indices'>): number {
  const wanted = numbers(`exact-${rows}.bin`, Int32Array)
  let hits = 0
  for (let start = 0; start < wanted.length; start += k) {
    const list = new Set(wanted.subarray(start, start + k))
    for (const index of indices.subarray(start, start + k)) if (list.has(index)) hits++
  }
  return hits / wanted.length
}

async function decompose(): Promise<object> {
  const input = {
    rows,
    columns: genes,
    indptr: numbers('indptr.bin', Int32Array),
    indices: numbers('indices.bin', Int32Array),
    values: numbers('values.bin', Float32Array),
  }
  const start = performance.now()
  const { variance } = await pca(input, { scale: true, seed: 1 })
  const seconds = (performance.now() - start) / 1000
  return { seconds, variance: Array.from(variance), density: input.values.length / rows / genes }
}

const tasks: Record<string, () => unknown> = {
  generate,
  generateCounts,
  exact: () => search('exact'),
  approximate: () => search('approximate'),
  recall: () => ({ recall: recallOf({ indices: numbers(`peer-${rows}.bin`, Int32Array) }) }),
  pca: decompose,
}
const result = await tasks[task]!()
console.log(JSON.stringify({ ...(result ?? {}), peak_mib: process.resourceUsage().maxRSS / 1024 }))
