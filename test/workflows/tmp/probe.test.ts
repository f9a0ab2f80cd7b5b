import { it } from 'vitest'
import { makeInstallation, cellsOf, toyCounts, saveToyModel, toyGenes } from '/work/main/test/support/installation.ts'
import { saveSimulatedModel, simulatedQuery, simulateCells, simulatedGenes } from '/work/main/test/support/simulated-cells.ts'
import { walk, jobFile } from '/work/main/test/support/walk.ts'
it('probe', async () => {
  const lab = await makeInstallation()
  let t = performance.now()
  await saveSimulatedModel(lab.stores)
  console.log('model', performance.now() - t)
  await saveToyModel(lab.stores)
  await lab.upload('jobs/a/q.h5ad', simulatedQuery(2, 240))
  const many = async (name: string, settings: object, cells: any) => {
    t = performance.now()
    try {
      await lab.upload(`jobs/${name}/q.h5ad`, cells)
      const st = await lab.upload(`jobs/${name}/job.json`, jobFile({ query: 'q.h5ad', model: 'blood', ...settings }))
      const end = await walk(st, lab.environment, 'PlanCompute')
      console.log(name, Math.round(performance.now() - t), JSON.stringify(end).slice(0, 3000))
    } catch (e: any) { console.log(name, Math.round(performance.now() - t), e.name, JSON.stringify(e), e.stack?.split('\n').slice(0,4).join('|')) }
  }
  await many('plain', {}, simulatedQuery(2, 240))
  await many('classifier', { classifier: 'fine' }, simulatedQuery(2, 240))
  await many('column', { majority_voting: true, over_clustering: 'nope' }, simulatedQuery(2, 240))
  await many('columnNoVote', { over_clustering: 'nope' }, simulatedQuery(2, 240))
  await many('nocells', {}, cellsOf([], { genes: simulatedGenes }))
  await many('zeros', {}, cellsOf(Array.from({length: 20}, () => simulatedGenes.map(() => 0)), { genes: simulatedGenes }))
  await many('neg', {}, cellsOf(Array.from({length: 20}, (_, i) => simulatedGenes.map((_, j) => Math.sin(i * j))), { genes: simulatedGenes }))
  await many('layer', { counts_layer: 'absent' }, simulatedQuery(2, 240))
  await many('strict', { strict: true, min_counts: 1e6 }, simulatedQuery(2, 240))
  await many('dupes', {}, cellsOf(simulateCells(2, 50).counts, { genes: simulatedGenes.map((g, i) => i < 10 ? 'MS4A1' : g) }))
  await many('few', {}, cellsOf(simulateCells(2, 50).counts.map((r) => r.slice(0, 30)), { genes: simulatedGenes.slice(0, 30) }))
  await many('toy', { model: 'toy' }, cellsOf(toyCounts, { genes: ['ENSG00000167286.10', 'ENSG00000156738.18', 'ENSG00000090382', 'ENSG00000075624.17'] }))
  await many('mouse', { model: 'toy' }, cellsOf(toyCounts, { genes: ['Cd3d', 'Ms4a1', 'Lyz2', 'Actb'] }))
})
