/**
 * The table of who may import whom: imports flow one way, down this list. ARCHITECTURE.md quotes it and a test compares.
 * A folder may import itself, what stands in its row, and the packages that it alone owns.
 */
export const layers: Record<string, readonly string[]> = {
  'lib/job': [],
  'lib/data': ['lib/job'],
  'lib/knowledge': ['lib/job'],
  'lib/prep': ['lib/data', 'lib/job', 'lib/knowledge'],
  'lib/references': ['lib/data', 'lib/job', 'lib/knowledge', 'lib/prep'],
  'lib/graph': ['lib/job'],
  'lib/models': ['lib/data', 'lib/graph', 'lib/job', 'lib/knowledge'],
  'lib/neighbours': ['lib/data', 'lib/graph', 'lib/job'],
  'lib/labels': ['lib/job'],
  'lib/report': ['lib/job'],
  'lib/workflows': [
    'lib/data',
    'lib/graph',
    'lib/job',
    'lib/knowledge',
    'lib/labels',
    'lib/models',
    'lib/neighbours',
    'lib/prep',
    'lib/references',
    'lib/report',
  ],
  'lib/local': [
    'lib/data',
    'lib/job',
    'lib/knowledge',
    'lib/models',
    'lib/prep',
    'lib/references',
    'lib/workflows',
  ],
  'lib/stacks': ['lib/job'],
}

/** Packages that only one folder may import, so that a heavy or risky dependency has one door. */
export const owners: Record<string, string> = {
  h5wasm: 'lib/data',
  'h5wasm-plugins': 'lib/data',
  '@aws-sdk/client-s3': 'lib/job',
  '@aws-sdk/lib-storage': 'lib/job',
  '@aws-sdk/client-sfn': 'lib/job',
  '@aws-sdk/client-batch': 'lib/job',
  'onnxruntime-node': 'lib/graph',
  usearch: 'lib/neighbours',
  '@napi-rs/canvas': 'lib/report',
  'aws-local-stepfunctions': 'lib/local',
  'aws-cdk-lib': 'lib/stacks',
  constructs: 'lib/stacks',
}
