import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync, existsSync, readFileSync } from 'node:fs'
import { writeWithout, sortedCells, kangControl, bloodQuery, panelGenes, coarseTypes, typedCells, typingFigures, recordedFigures } from '../test/support/real-typing.ts'
const home = '/tmp/t4'
const coarse = await coarseTypes()
const only = process.argv[2]!.split(',')
const extra = JSON.parse(process.argv[3] ?? '{}')
for (const name of only) {
  const type = name.startsWith('no_') ? name.slice(3) : null
  let refs = [sortedCells, kangControl]
  if (type) {
    const cut: string[] = []
    for (const [i, from] of refs.entries()) { const to = `${home}/${name}-${i}.h5ad`; if (!existsSync(to)) await writeWithout(type, { from, to }); cut.push(to) }
    refs = cut
  }
  const job = { workflow: 'type-cells', query: bloodQuery, references: refs, label_columns: ['cell_type', 'cell_type'], tissue: 'blood', target_genes: panelGenes(), annotation_prefix: 'typed', umap: false, generate_plots: false, ...extra }
  const tag = `${name}-${Buffer.from(JSON.stringify(extra)).toString('hex').slice(0, 40)}`
  const place = `${home}/run-${tag}`
  mkdirSync(place, { recursive: true })
  writeFileSync(`${place}/job.json`, JSON.stringify(job))
  const t = performance.now()
  const r = spawnSync('node', ['/work/main/lib/local/main.ts', 'run', 'job.json', '--out', 'out', '--models', 'models', '--overwrite'], { cwd: place, encoding: 'utf8' })
  if (r.status !== 0) { console.log(r.stderr.slice(-2000), r.stdout.slice(-500)); continue }
  const secs = (performance.now() - t) / 1000
  const result = JSON.parse(readFileSync(`${place}/out/result.json`, 'utf8'))
  const typed = await typedCells(`${place}/out/${result.outputs.h5ad}`, { coarse, prefix: 'typed' })
  const f = typingFigures(typed)
  const g = recordedFigures(name as any)
  console.log(name, JSON.stringify(extra), secs.toFixed(1), 's', JSON.stringify(Object.fromEntries(Object.entries(f).map(([k, v]) => [k, +v.toFixed(3)]))), result.summary.trainingCells, result.summary.types, JSON.stringify(result.summary.heldOut), JSON.stringify(result.summary.reasons))
  console.log('   recorded', JSON.stringify({ acc: g.accuracy_coarse, pass: g.pass_0_8_share, wrong: g.n_wrong, wp: g.wrong_passing, conf: g.auroc_confidence, raw: g.auroc_raw }), result.timings.map((t: any) => `${t.step} ${t.seconds}s ${t.peakMemoryMiB}`).join(', '))
}
