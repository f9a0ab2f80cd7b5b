/**
 * Finds the three files of one 10x sample in a folder: matrix, barcodes, features (before Cell Ranger 3: genes), packed or
 * not, with the name of the sample in front as GEO stores them (`GSM1_a_matrix.mtx.gz`). It never guesses between two.
 */
import { BadInput } from '../job/errors.ts'
import type { Folder } from './folder.ts'

const roles = ['matrix', 'barcodes', 'features'] as const
type Role = (typeof roles)[number]
export type Triplet = Record<Role, string>

const endings: { role: Role; pattern: RegExp }[] = [
  { role: 'matrix', pattern: /^(.*?)(?:(?:^|[._-])matrix)?\.mtx(?:\.gz|\.gzip)?$/i },
  { role: 'barcodes', pattern: /^(.*?)(?:^|[._-])barcodes\.tsv(?:\.gz|\.gzip)?$/i },
  { role: 'features', pattern: /^(.*?)(?:^|[._-])(?:features|genes)\.tsv(?:\.gz|\.gzip)?$/i },
]

/** `sample` is what stands before the three names, '' for none. @throws BadInput TENX_MISSING, TENX_SEVERAL */
export async function findTriplet(folder: Folder, sample: string | undefined): Promise<Triplet> {
  const samples = groupBySample(await folder.list())
  const complete = [...samples].filter(([, files]) => roles.every((role) => files[role].length > 0))
  const chosen = sample === undefined ? complete : complete.filter(([name]) => name === sample)
  const [only] = chosen
  if (only === undefined) throw missing(folder, { samples, sample })
  if (chosen.length > 1) {
    const list = chosen.map(([name]) => `"${name}"`).join(', ')
    throw several(
      folder,
      `it holds ${chosen.length} samples (${list})`,
      'Give each sample its folder, or name the one to read',
    )
  }
  const [, { matrix, barcodes, features }] = only
  return {
    matrix: single(folder, matrix),
    barcodes: single(folder, barcodes),
    features: single(folder, features),
  }
}

type Files = Record<Role, string[]>

function groupBySample(names: readonly string[]): Map<string, Files> {
  const samples = new Map<string, Files>()
  for (const name of names) {
    for (const { role, pattern } of endings) {
      const match = pattern.exec(name)
      if (match === null) continue
      const sample = match[1] ?? ''
      const files = samples.get(sample) ?? { matrix: [], barcodes: [], features: [] }
      files[role].push(name)
      samples.set(sample, files)
    }
  }
  return samples
}

function single(folder: Folder, names: string[]): string {
  const [name = ''] = names
  if (names.length > 1) {
    throw several(
      folder,
      `it holds ${names.join(' and ')}, which say the same thing twice`,
      'Keep one of them',
    )
  }
  return name
}

function missing(
  folder: Folder,
  { samples, sample }: { samples: Map<string, Files>; sample: string | undefined },
): BadInput {
  const files = sample === undefined ? fullest(samples) : samples.get(sample)
  const lacking = roles.filter((role) => (files?.[role].length ?? 0) === 0)
  const of = sample === undefined || sample === '' ? '' : ` of sample "${sample}"`
  return new BadInput(
    'TENX_MISSING',
    folder.place,
    `the ${lacking.join(' and the ')} file${of} is not there`,
    'Put matrix.mtx, barcodes.tsv and features.tsv (or genes.tsv) of one sample into one folder; each may be .gz',
  )
}

function fullest(samples: Map<string, Files>): Files | undefined {
  const count = (files: Files) => roles.filter((role) => files[role].length > 0).length
  return [...samples.values()].sort((a, b) => count(b) - count(a))[0]
}

function several(folder: Folder, problem: string, remedy: string): BadInput {
  return new BadInput('TENX_SEVERAL', folder.place, problem, remedy)
}
