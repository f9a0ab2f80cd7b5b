/** Our half of bench/io: one task in a process of its own, one JSON line. `ours.ts read|rewrite|inspect ...`, as peer.py. */

import { rmSync } from 'node:fs'
import { openAnnData } from '../../lib/data/anndata/file.ts'
import { meteredSource, openFileSource } from '../../lib/data/file-source.ts'
import { openHdf5Tree } from '../../lib/data/hdf5/hdf5-tree.ts'
import { openCells } from '../../lib/data/open-cells.ts'
import { writeH5ad } from '../../lib/data/write-h5ad.ts'

const peakMib = (): number => process.resourceUsage().maxRSS / 1024

/** X by slabs, every index checked */
async function read(path: string): Promise<object> {
  const file = await openCells(path)
  const x = await file.matrix('X')
  const base = peakMib()
  let stored = 0
  const started = performance.now()
  for await (const slab of x.slabs({ transient: true })) stored += slab.values.length
  const seconds = (performance.now() - started) / 1000
  await file.close()
  return { seconds, stored, peak_mib: peakMib() - base }
}

/** everything in the file, as anndata.read_h5ad has it */
async function whole(path: string): Promise<object> {
  const base = peakMib()
  const started = performance.now()
  const file = await openCells(path)
  const tables = [await file.obs(), await file.var()]
  let stored = 0
  for (const name of file.matrices) {
    for await (const slab of (await file.matrix(name)).slabs()) stored += slab.values.length
  }
  const seconds = (performance.now() - started) / 1000
  await file.close()
  return { seconds, stored, shape: tables.map((table) => table.rows), peak_mib: peakMib() - base }
}

async function rewrite(source: string, target: string, gzip: number): Promise<object> {
  const file = await openCells(source)
  const x = await file.matrix('X')
  const [obs, genes] = [await file.obs(), await file.var()]
  const empty = { columns: new Map() }
  rmSync(target, { force: true })
  const base = peakMib()
  const started = performance.now()
  await writeH5ad(target, { x, obs: { ...obs, ...empty }, var: { ...genes, ...empty } }, { gzip })
  const seconds = (performance.now() - started) / 1000
  await file.close()
  return { seconds, stored: x.stored, peak_mib: peakMib() - base }
}

/** shape, obs and var by ranges: how much of the file was asked for */
async function inspect(path: string): Promise<object> {
  const source = meteredSource(await openFileSource(path), { requests: 10_000, bytes: 2 ** 40 })
  const started = performance.now()
  const file = await openAnnData(await openHdf5Tree(source))
  const [obs, genes] = [await file.obs(), await file.var()]
  const seconds = (performance.now() - started) / 1000
  await file.close()
  const { requests, bytes } = source.meter
  return {
    seconds,
    requests,
    bytes,
    size: source.size,
    cells: obs.rows,
    genes: genes.rows,
    columns: obs.columns.size,
  }
}

const [task, ...rest] = process.argv.slice(2)
const [first = '', second = '', level = '4'] = rest
const tasks: Record<string, () => Promise<object>> = {
  read: () => read(first),
  whole: () => whole(first),
  rewrite: () => rewrite(first, second, Number(level)),
  inspect: () => inspect(first),
}
console.log(JSON.stringify(await tasks[task ?? '']?.()))
