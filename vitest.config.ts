import { defineConfig } from 'vitest/config'
import { longestFirst } from './test/support/longest-first.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/peers/**', 'node_modules/**'],
    globalSetup: ['test/support/compile-cache-run.ts'],
    setupFiles: ['test/support/compile-cache.ts'],
    sequence: {
      sequencer: longestFirst([
        'test/local/whole-road.test.ts',
        'test/fuzz/fuzz.test.ts',
        'test/local/acquire.test.ts',
        'test/workflows/killed.test.ts',
        'test/workflows/map-atlas/learned-library.test.ts',
        'test/data/real-files.test.ts',
        'test/models/learned-library-training.test.ts',
        'test/workflows/fit-reference/real.test.ts',
        'test/workflows/min-confidence.test.ts',
        'test/workflows/map-atlas/joint.test.ts',
        'test/workflows/map-atlas/expression.test.ts',
        'test/references/acquire.test.ts',
        'test/prep/real-counts.test.ts',
        'test/docs/readme.test.ts',
      ]),
    },
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
