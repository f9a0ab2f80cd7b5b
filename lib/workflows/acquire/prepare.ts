/**
 * Prepare of `acquire`: what the source stands for now, as files pinned to their content, and which of their cells are wanted. Nothing but
 * obs is read. An output that is there already ends the search before it begins.
 */
import type { ErrorReport } from '../../job/errors.ts'
import type { InputPin } from '../../job/road.ts'
import { type Chosen, chooseCells } from '../../references/choose-cells.ts'
import { findFiles } from '../../references/find-files.ts'
import type { DatasetFacts, FoundFiles, SourceFacts } from '../../references/found-file.ts'
import { parseSource, type ReferenceSource } from '../../references/source.ts'
import type { StepResult } from '../workflow.ts'
import { type AcquireContext, environmentOf, outputFor } from './context.ts'

export interface PinnedFile {
  pin: InputPin
  dataset: DatasetFacts | null
  md5?: string
}

export interface FoundCells {
  facts: SourceFacts
  files: PinnedFile[]
  /** the rows of each file are block `rows-N` of the step */
  chosen: Omit<Chosen, 'files' | 'notices'> & {
    files: (Omit<Chosen['files'][number], 'rows'> & { cells: number })[]
  }
}

export interface Prepared {
  /** null where the output was there, and nothing was looked for */
  found: FoundCells | null
}

export async function prepare(context: AcquireContext): Promise<StepResult> {
  const { road, step } = context
  const { settings } = road
  const output = await outputFor(context)
  if (!settings.force) {
    const there = await output.store.head(output.key)
    if (there !== undefined)
      return { value: { found: null } satisfies Prepared, notices: [keptNotice(output.location)] }
  }
  const source = parseSource(settings.source)
  context.progress(0, 2, 'steps', 'looking up the source')
  const found = await findFiles(source, {
    environment: environmentOf(context),
    censusVersion: settings.census_version,
    signal: context.signal,
  })
  context.progress(1, 2, 'steps', 'reading what the cells are')
  const chosen = await choose(context, { found, source })
  for (const { file, rows } of chosen.files) await step.writeBlock(`rows-${file}`, rows)
  context.progress(2, 2, 'steps', 'cells chosen')
  const { files, notices, ...counted } = chosen
  const value: Prepared = {
    found: {
      facts: found.facts,
      files: found.files.map(({ store: _, ...pinned }) => pinned),
      chosen: { ...counted, files: files.map(({ rows, ...file }) => ({ ...file, cells: rows.length })) },
    },
  }
  return { value, notices: [...found.notices, ...notices] }
}

async function choose(
  context: AcquireContext,
  { found, source }: { found: FoundFiles; source: ReferenceSource },
): Promise<Chosen> {
  const { settings } = context.road
  const known = 'labelColumn' in source ? source.labelColumn : null
  return chooseCells(found.files, {
    ...(source.kind === 'query' && { filters: source.filters }),
    ...(settings.max_cells !== undefined && { maxCells: settings.max_cells }),
    seed: settings.random_state,
    labelColumn: settings.label_column ?? known,
    resolveHierarchy: settings.resolve_hierarchy,
    validateLabels: settings.validate_labels,
    environment: environmentOf(context),
    scratch: context.scratch,
    signal: context.signal,
    // the files are the second of two parts of the step
    progress: ({ files, of }) => context.progress(of + files, 2 * of, 'files', 'reading what the cells are'),
  })
}

export function keptNotice(location: string): ErrorReport {
  return {
    code: 'OUTPUT_KEPT',
    place: location,
    problem: 'there is a file already: it was kept as it is, nothing was fetched, and nobody looked into it',
    remedy: 'To fetch it again, set force: true (--force); or give another output',
  }
}
