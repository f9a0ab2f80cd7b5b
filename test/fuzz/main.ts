/** `npm run fuzz -- 10000 [seed]`: more broken files than a test run has time for. Exit code 1 when any was not handled. */
import { soundFiles } from './originals.ts'
import { fuzz } from './run.ts'

const [count = '1000', seed = '1'] = process.argv.slice(2)
const report = await fuzz({
  seed: Number(seed),
  count: Number(count),
  originals: soundFiles(),
  lanes: 2,
  now: () => performance.now(),
  progress: (done) => process.stderr.write(`\r${done} of ${count}`),
})
process.stderr.write('\n')
console.log(JSON.stringify(report, null, 2))
process.exitCode = report.failures.length === 0 ? 0 : 1
