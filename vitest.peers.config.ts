import { defineConfig } from 'vitest/config'
import { longestFirst } from './test/support/longest-first.ts'

/** Checks against programs that are not ours: Debian's python3-anndata and h5py, OpenStack Swift. */
export default defineConfig({
  test: {
    include: ['test/peers/**/*.test.ts'],
    globalSetup: ['test/support/compile-cache-run.ts'],
    setupFiles: ['test/support/compile-cache.ts'],
    sequence: {
      sequencer: longestFirst([
        'test/peers/real-queries.test.ts',
        'test/peers/type-cells-real.test.ts',
        'test/peers/road-over-swift.test.ts',
        'test/peers/scvi-curves.test.ts',
        'test/peers/python-label-statistics.test.ts',
        'test/peers/demo.test.ts',
      ]),
    },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
