/**
 * The table of who may import whom: imports flow one way, down this list. ARCHITECTURE.md quotes it and a test compares.
 * A folder may import itself, what stands in its row, and the packages that it alone owns.
 */
export const layers: Record<string, readonly string[]> = {
  'lib/job': [],
  'lib/data': ['lib/job'],
  'lib/local': ['lib/data', 'lib/job'],
}

/** Packages that only one folder may import, so that a heavy or risky dependency has one door. */
export const owners: Record<string, string> = {
  h5wasm: 'lib/data',
  'h5wasm-plugins': 'lib/data',
  '@aws-sdk/client-s3': 'lib/job',
  '@aws-sdk/lib-storage': 'lib/job',
  'onnxruntime-node': 'lib/graph',
  'aws-cdk-lib': 'lib/stacks',
}
