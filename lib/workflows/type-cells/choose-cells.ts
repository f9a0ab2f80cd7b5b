/**
 * Which cells of the references are learnt from. Nothing but their labels is read for it: labels that name no type and rare ones go, a large
 * reference is cut to its cap, labels become classes, and Cap & Fill balances these over the references.
 */
import type { CellFile } from '../../data/cells.ts'
import { BadInput, type ErrorReport } from '../../job/errors.ts'
import { type Balanced, capAndFill } from '../../prep/cap-and-fill.ts'
import { excludeLabels } from '../../prep/excluded-labels.ts'
import { shownName, shownNames } from '../../prep/shown-names.ts'
import { stratifiedCap } from '../../prep/stratified-cap.ts'
import { resolveProportions } from '../../prep/target-proportions.ts'
import { columnNames } from '../parts/cluster-column.ts'
import { type Coded, codedTexts } from '../parts/coded.ts'
import type { LabelTerm } from '../workflow.ts'
import { type CellClass, classesOf } from './classes.ts'
import type { TypeCellsContext } from './context.ts'
import { givenProportions } from './documents.ts'

/** Cells of one reference, ascending. */
export interface ChosenCells {
  rows: Int32Array
  /** of each row, its number in `classes` */
  classes: Int32Array
  /** of each row, as the reference has it */
  labels: string[]
}

export interface Choice {
  /** those with cells, in order of their names */
  classes: CellClass[]
  references: ChosenCells[]
  /** cells by class and reference, before and after balancing, of classes that were dropped too */
  table: (Balanced['table'][number] & { id: string | null })[]
  dropped: Balanced['dropped']
  notices: ErrorReport[]
}

interface Labelled {
  file: CellFile
  /** -1 where a cell is not to be learnt from */
  labels: Coded
  notices: ErrorReport[]
}

/**
 * @param of.sources what each reference is called
 * @throws BadInput LABELS_ALL_EXCLUDED, CLASSES_TOO_FEW, and what capAndFill throws
 */
export async function chooseCells(
  context: TypeCellsContext,
  { files, sources }: { files: readonly CellFile[]; sources: readonly string[] },
): Promise<Choice> {
  const { settings, labels: terms } = context.road
  const references: Labelled[] = []
  for (const [index, file] of files.entries()) references.push(await labelledCells(context, { file, index }))
  const rare = settings.filter_min_cells ? dropRare(references, settings.min_cells_per_label) : []
  const all = new Set(references.flatMap(({ labels }) => occurring(labels)))
  const { classes, classOf } = classesOf([...all], { terms, settings })
  const leftOut = [...all].filter((label) => !classOf.has(label))
  if (classes.length < 2) throw tooFewClasses(classes, { rare, leftOut })
  const pooled = pool(references, classOf)
  const place = 'references'
  const given = givenProportions(context.road)
  const resolved =
    given === undefined
      ? undefined
      : resolveProportions(given, namedGroups(classes), { place: 'target_proportions' })
  const balanced = capAndFill(
    {
      groups: pooled.groups,
      groupNames: classes.map(({ name }) => name),
      sources: pooled.sources,
      sourceNames: sources,
    },
    {
      place,
      seed: settings.seed,
      maxCellsPerType: settings.max_cells_per_type,
      minCellsPerType: settings.min_cells_per_type,
      minCellsPerSource: settings.min_cells_per_source,
      balance: settings.balance_strategy,
      rounding: settings.rounding,
      ...(resolved !== undefined && {
        targetProportions: resolved.proportions,
        proportionsPlace: 'target_proportions',
      }),
    },
  )
  const notices = [
    ...references.flatMap(({ notices: told }) => told),
    ...rare,
    ...(resolved?.notices ?? []),
    ...balanced.notices,
  ]
  const chosen = perReference(references, { rows: balanced.rows, pooled })
  const kept = new Set(chosen.flatMap(({ classes: codes }) => [...new Set(codes)]))
  if (kept.size < 2)
    throw tooFewClasses(
      [...kept].map((code) => classes[code]!),
      { rare, leftOut, dropped: balanced.dropped },
    )
  const idOf = new Map(classes.map(({ name, id }) => [name, id]))
  const place0 = Int32Array.from(classes, () => -1)
  const left = [...kept].sort((a, b) => a - b)
  for (const [at, code] of left.entries()) place0[code] = at
  return {
    classes: left.map((code) => classes[code]!),
    references: chosen.map((of) => ({ ...of, classes: of.classes.map((code) => place0[code]!) })),
    table: balanced.table.map((line) => ({ ...line, id: idOf.get(line.group) ?? null })),
    dropped: balanced.dropped,
    notices,
  }
}

async function labelledCells(
  { road }: TypeCellsContext,
  { file, index }: { file: CellFile; index: number },
): Promise<Labelled> {
  const { settings } = road
  const column = settings.label_columns[index]!
  const place = `${file.place}:/obs/${column}`
  const texts = columnNames((await file.obs()).columns.get(column)!)
  const all = codedTexts(texts.map((text) => (text.trim() === '' ? '' : text)))
  const { codes, notices } = excludeLabels(all.codes, {
    labels: all.categories,
    place,
    ...(settings.exclude_labels !== undefined && { excluded: settings.exclude_labels }),
  })
  leaveOut(codes, { labels: all.categories, terms: road.labels })
  const wanted = codes.reduce((count, code) => count + Number(code >= 0), 0)
  if (wanted <= settings.max_cells_per_ref) return { file, labels: { ...all, codes }, notices }
  const rows = stratifiedCap(codes, {
    labels: all.categories.length,
    max: settings.max_cells_per_ref,
    seed: settings.seed,
    rounding: settings.rounding,
  })
  const kept = new Int32Array(codes.length).fill(-1)
  for (const row of rows) kept[row] = codes[row]!
  const problem = `${rows.length} of the ${wanted} labelled cells were drawn, with the shares that their labels have`
  const remedy = 'Raise max_cells_per_ref to use more'
  return {
    file,
    labels: { ...all, codes: kept },
    notices: [...notices, { code: 'REFERENCE_CAPPED', place, problem, remedy }],
  }
}

/** What MatchOntology found is not to be learnt from is unlabelled from here on, and takes no room among the cells drawn. */
function leaveOut(
  codes: Int32Array,
  { labels, terms }: { labels: readonly string[]; terms: Readonly<Record<string, LabelTerm>> },
): void {
  const isOut = labels.map((label) => Object.hasOwn(terms, label) && terms[label]!.leftOut !== undefined)
  for (const [cell, code] of codes.entries()) if (code >= 0 && isOut[code]) codes[cell] = -1
}

/** Labels of too few cells in all references together; their cells are unlabelled from here on. */
function dropRare(references: readonly Labelled[], least: number): ErrorReport[] {
  const cells = new Map<string, number>()
  for (const { labels } of references)
    for (const code of labels.codes)
      if (code >= 0) cells.set(labels.categories[code]!, (cells.get(labels.categories[code]!) ?? 0) + 1)
  const rare = [...cells].filter(([, count]) => count < least).map(([label]) => label)
  if (rare.length === 0) return []
  const names = new Set(rare)
  for (const { labels } of references) {
    const isRare = labels.categories.map((label) => names.has(label))
    for (const [cell, code] of labels.codes.entries()) if (code >= 0 && isRare[code]) labels.codes[cell] = -1
  }
  const shown = rare.slice(0, 20).map((label) => `${shownName(label)} (${cells.get(label)})`)
  const problem = `${rare.length} labels have fewer than ${least} cells and are left out: ${shown.join(', ')}`
  const remedy = 'Lower min_cells_per_label, or set filter_min_cells: false, to keep them'
  return [{ code: 'LABELS_RARE', place: 'references', problem, remedy }]
}

function occurring({ codes, categories }: Coded): string[] {
  return [...new Set(codes)].filter((code) => code >= 0).map((code) => categories[code]!)
}

interface Pooled {
  /** class of every cell of all references, one after the other */
  groups: Int32Array
  sources: Int32Array
  /** where each reference begins */
  starts: number[]
}

function pool(references: readonly Labelled[], classOf: ReadonlyMap<string, number>): Pooled {
  const total = references.reduce((sum, { labels }) => sum + labels.codes.length, 0)
  const groups = new Int32Array(total)
  const sources = new Int32Array(total)
  const starts: number[] = []
  let at = 0
  for (const [source, { labels }] of references.entries()) {
    starts.push(at)
    const classes = labels.categories.map((label) => classOf.get(label) ?? -1)
    for (const code of labels.codes) {
      groups[at] = code < 0 ? -1 : classes[code]!
      sources[at++] = source
    }
  }
  return { groups, sources, starts }
}

function perReference(
  references: readonly Labelled[],
  { rows, pooled }: { rows: Int32Array; pooled: Pooled },
): ChosenCells[] {
  return references.map(({ labels }, source) => {
    const start = pooled.starts[source]!
    const end = start + labels.codes.length
    const own = rows.filter((row) => row >= start && row < end)
    return {
      rows: own.map((row) => row - start),
      classes: own.map((row) => pooled.groups[row]!),
      labels: Array.from(own, (row) => labels.categories[labels.codes[row - start]!]!),
    }
  })
}

function namedGroups(classes: readonly CellClass[]) {
  return classes.map(({ name, id, termName, labels }) => ({ name, id, termName, labels }))
}

function tooFewClasses(
  left: readonly CellClass[],
  {
    rare,
    leftOut,
    dropped = [],
  }: { rare: readonly ErrorReport[]; leftOut: readonly string[]; dropped?: Balanced['dropped'] },
): BadInput {
  const only = left.map(({ name }) => `only one type is left to learn, ${shownName(name)}`)
  const few = dropped.slice(0, 20).map(({ group, cells }) => `${shownName(group)} (${cells})`)
  const problem = [
    ...(only.length > 0 ? only : ['no type is left to learn']),
    ...rare.map((notice) => notice.problem),
    ...(leftOut.length > 0 ? [`labels without a type to learn: ${shownNames(leftOut)}`] : []),
    ...(few.length > 0 ? [`too few cells for others: ${few.join(', ')}`] : []),
  ].join('; ')
  const remedy =
    'A model tells at least two types apart: add references, or lower min_cells_per_label and min_cells_per_type'
  return new BadInput('CLASSES_TOO_FEW', 'references', problem, remedy)
}
