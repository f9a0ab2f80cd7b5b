import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync, readFileSync } from 'node:fs'
import { sortedCells, kangControl, bloodQuery, coarseTypes, typedCells, typingFigures } from './real-typing.ts'
const coarse = await coarseTypes()
const x = '/work/shared/data/spatial_xenium_breast/xenium_breast_bulbasaur.h5ad'
const runs: [string, any, string | null][] = [
  ['kang->pbmc4k', { query: bloodQuery, references: [kangControl], label_columns: ['cell_type'] }, 'coarse'],
  ['sorted->kang', { query: kangControl, references: [sortedCells], label_columns: ['cell_type'] }, 'coarse'],
  ['both->pbmc4k', { query: bloodQuery, references: [sortedCells, kangControl], label_columns: ['cell_type', 'cell_type'] }, 'coarse'],
  ['xenium', { query: x, references: [sortedCells, kangControl], label_columns: ['cell_type', 'cell_type'] }, null],
]
for (const [name, job, truth] of runs) {
  const place = `/tmp/t4/o-${name.replace('->', '-')}`
  mkdirSync(place, { recursive: true })
  writeFileSync(`${place}/job.json`, JSON.stringify({ workflow: 'type-cells', tissue: 'blood', overwrite: true, annotation_prefix: 'typed', ...job }))
  const r = spawnSync('node', ['/tmp/t4/tree/lib/local/main.ts', 'run', 'job.json', '--out', 'out', '--models', 'models', '--overwrite'], { cwd: place, encoding: 'utf8' })
  if (r.status !== 0) { console.log(name, r.stderr.slice(-1500)); continue }
  const result = JSON.parse(readFileSync(`${place}/out/result.json`, 'utf8'))
  const typed = await typedCells(`${place}/out/${result.outputs.h5ad}`, { coarse, prefix: 'typed', truth })
  console.log(name, truth ? JSON.stringify(typingFigures(typed)) : '', JSON.stringify(result.summary), result.timings.map((t: any) => `${t.step} ${t.seconds}s ${t.peakMemoryMiB}`).join(', '), result.notices.map((n: any) => n.code).join(' '))
}
