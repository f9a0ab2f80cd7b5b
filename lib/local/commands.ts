/** Every command by its name. What a command needs is loaded when it is asked for: looking into a file must not wait for the road. */
import type { Command, Flag } from './command.ts'

export interface CommandEntry {
  /** what follows the name */
  usage: string
  summary: string
  load(): Promise<Command>
}

const openFlags = {
  genome: { type: 'string', value: 'NAME', describe: 'which genome of a 10x file with several' },
  sample: { type: 'string', value: 'NAME', describe: 'which sample of an MTX folder with several' },
} as const satisfies Record<string, Flag>

const gzipFlag = {
  gzip: {
    type: 'string',
    value: 'LEVEL',
    describe: 'compression of what is written, 0 to 9 (default 4)',
  },
} as const satisfies Record<string, Flag>

const acquireUsage = 'SOURCE [--output H5AD]'
const mapAtlasUsage = 'H5AD --model NAME [--mode extend --atlas ATLAS.h5ad]'
const fitReferenceUsage = 'H5AD --name MODEL --batch-key COLUMN --label-column COLUMN'
const typeCellsUsage = 'H5AD --references A.h5ad,B.h5ad --label-columns COLUMN,COLUMN'

export const commands: Readonly<Record<string, CommandEntry>> = {
  inspect: {
    usage: 'FILE',
    summary: 'what is in an h5ad, 10x .h5, 10x MTX folder or AnnData zarr (a path or s3://bucket/key)',
    load: async () => ({ flags: openFlags, run: (await import('./inspect.ts')).inspectCommand }),
  },
  convert: {
    usage: 'FILE OUT.h5ad',
    summary: 'write it as a current h5ad, streamed',
    load: async () => ({
      flags: { ...openFlags, ...gzipFlag },
      run: (await import('./convert.ts')).convertCommand,
    }),
  },
  annotate: {
    usage: 'H5AD --model NAME',
    summary: 'label the cells of a file, with a report; every setting is a flag',
    load: async () =>
      (await import('./workflow-command.ts')).workflowCommand('annotate', 'H5AD --model NAME'),
  },
  'type-cells': {
    usage: typeCellsUsage,
    summary:
      'train on labelled references over the genes of a file, and type its cells; every setting is a flag',
    load: async () => (await import('./workflow-command.ts')).workflowCommand('type-cells', typeCellsUsage),
  },
  'map-atlas': {
    usage: mapAtlasUsage,
    summary:
      'place the cells of a file in the latent space of a SCANVI atlas, and label them; every setting is a flag',
    load: async () => (await import('./workflow-command.ts')).workflowCommand('map-atlas', mapAtlasUsage),
  },
  'fit-reference': {
    usage: fitReferenceUsage,
    summary: 'train a scVI or SCANVI model of an atlas, to map others onto; every setting is a flag',
    load: async () =>
      (await import('./workflow-command.ts')).workflowCommand('fit-reference', fitReferenceUsage),
  },
  acquire: {
    usage: acquireUsage,
    summary:
      'fetch labelled cells to learn from: CELLxGENE, Synapse, or an h5ad elsewhere; every setting is a flag',
    load: async () => (await import('./workflow-command.ts')).workflowCommand('acquire', acquireUsage),
  },
  references: {
    usage: '[LOCATION]',
    summary: 'the references that have a name, or the h5ad files at a location',
    load: async () => (await import('./reference-commands.ts')).referencesCommand,
  },
  run: {
    usage: 'JOB.yaml',
    summary: 'run the job of a job file; given again, it goes on where it was',
    load: async () => (await import('./run.ts')).runCommand,
  },
  watch: {
    usage: 'DIR',
    summary: 'a folder that behaves like the bucket: what is dropped into it is worked on',
    load: async () => (await import('./watch.ts')).watchCommand,
  },
  submit: {
    usage: 'JOB.yaml',
    summary: 'give a job to the deployed stack, follow it and fetch its results',
    load: async () => (await import('./remote.ts')).submitCommand,
  },
  status: {
    usage: '[JOB]',
    summary: 'how the jobs of this folder stand, or with --stack one of the deployed stack',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  results: {
    usage: 'JOB',
    summary: 'fetch the results of a job of the deployed stack',
    load: async () => (await import('./remote.ts')).resultsCommand,
  },
  models: {
    usage: '',
    summary: 'the models that are there',
    load: async () => (await import('./model-commands.ts')).modelsCommand,
  },
  'import-model': {
    usage: 'PATH --name NAME',
    summary:
      'take a model of CellTypist (.pkl) or of scvi-tools (its folder or model.pt) into the model store',
    load: async () => (await import('./model-commands.ts')).importModelCommand,
  },
  'export-model': {
    usage: 'NAME OUT.pkl|DIR',
    summary: 'write a model as CellTypist reads it, or scvi-tools',
    load: async () => (await import('./model-commands.ts')).exportModelCommand,
  },
}
