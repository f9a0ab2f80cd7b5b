/** `celldrop references`: the references that can be acquired by a name; with a location, the files that lie there. */
import { BadInput } from '../job/errors.ts'
import { type AvailableDataset, availableDatasets } from '../references/datasets.ts'
import { type DiscoveredFile, discover } from '../references/discover.ts'
import type { Command } from './command.ts'

export const referencesCommand: Command = {
  flags: {
    recursive: { type: 'boolean', describe: 'also look into the folders of LOCATION' },
    pattern: {
      type: 'string',
      value: 'GLOB',
      describe: 'which names to list, with * and ? for what may differ (default *.h5ad)',
    },
  },
  async run(invocation) {
    const { positionals, flags, options, environment, print } = invocation
    const [location, ...others] = positionals
    if (others.length > 0) throw usage('at most one location is given')
    if (location === undefined) {
      if (flags.recursive !== undefined || flags.pattern !== undefined)
        throw usage('--recursive and --pattern are for a location')
      const datasets = availableDatasets()
      return print(options.json ? JSON.stringify(datasets) : datasets.map(describeDataset).join('\n'))
    }
    const files = await discover(location, {
      ...(typeof flags.pattern === 'string' && { pattern: flags.pattern }),
      recursive: flags.recursive === true,
      // on this machine its owner decides what is read
      environment: { ...environment, CELLDROP_LOCAL_FILES: '1' },
      signal: invocation.listenForStop(),
    })
    if (options.json) return print(JSON.stringify(files))
    print(files.length === 0 ? `no such file in ${location}` : files.map(describeFile).join('\n'))
  },
}

function usage(problem: string): BadInput {
  return new BadInput(
    'USAGE',
    'celldrop references',
    problem,
    'celldrop references [LOCATION [--recursive] [--pattern GLOB]]',
  )
}

function describeDataset({ key, description, tissue, labelColumn, expectedCells }: AvailableDataset): string {
  const cells = expectedCells === null ? '' : `, about ${expectedCells.toLocaleString('en-GB')} cells`
  return `cellxgene://${key}\n  ${description} (${tissue}${cells}; labels in ${labelColumn})`
}

function describeFile({ path, size, storage, modified }: DiscoveredFile): string {
  return `${path}  ${size}, ${storage}, ${modified}`
}
