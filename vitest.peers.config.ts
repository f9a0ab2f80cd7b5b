import { defineConfig } from 'vitest/config'

/** Checks against programs that are not ours: Debian's python3-anndata and h5py, OpenStack Swift. */
export default defineConfig({
  test: {
    include: ['test/peers/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
