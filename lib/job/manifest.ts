/**
 * A job file: YAML or JSON, one document, whose `workflow` decides which settings it may have. What it does not say takes its default
 * here, once; a key that no setting has is refused with the nearest one named, because a misspelt setting must not be ignored.
 *
 * Job files are untrusted: their size is bounded, and aliases (`*name`), by which a few lines become gigabytes, are refused.
 */
import { closest } from 'fastest-levenshtein'
import { parseDocument } from 'yaml'
import type { z } from 'zod'
import { BadInput } from './errors.ts'
import { printable } from './object-key.ts'
import { acquireSettings, refuseSecrets } from './settings/acquire.ts'
import { annotateSettings, checkAnnotate } from './settings/annotate.ts'
import { checkFitReference, fitReferenceDefaults, fitReferenceSettings } from './settings/fit-reference.ts'
import { checkMapAtlas, mapAtlasDefaults, mapAtlasSettings } from './settings/map-atlas.ts'
import { checkTypeCells, typeCellsDefaults, typeCellsSettings } from './settings/type-cells.ts'

/** The settings of each workflow; a new workflow adds its schema here. */
export const workflowSettings = {
  annotate: annotateSettings,
  'type-cells': typeCellsSettings,
  'fit-reference': fitReferenceSettings,
  'map-atlas': mapAtlasSettings,
  acquire: acquireSettings,
} as const

export type WorkflowName = keyof typeof workflowSettings
export type SettingsOf<Name extends WorkflowName> = z.infer<(typeof workflowSettings)[Name]>
export type Settings = SettingsOf<WorkflowName>
/** Of workflows that begin with files of cells, which InspectInput looks at. */
export type CellSettings = Exclude<Settings, SettingsOf<'acquire'>>

export const longestManifest = 1 << 20

/**
 * @param place where the job file lies, for messages
 * @throws BadInput MANIFEST_UNREADABLE, WORKFLOW_UNKNOWN, SETTING_UNKNOWN, SETTING_INVALID, SECRET_IN_JOB
 */
export function parseManifest(bytes: Uint8Array, place: string): Settings {
  return checkSettings(readDocument(bytes, place), place)
}

/** The same for settings that are an object already, as the command line makes them of its flags. */
export function checkSettings(given: unknown, place: string): Settings {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw unreadable(place, 'it is not a list of "setting: value" lines')
  const name = 'workflow' in given ? given.workflow : undefined
  const schema = typeof name === 'string' && isWorkflow(name) ? workflowSettings[name] : undefined
  if (schema === undefined) {
    const known = Object.keys(workflowSettings).join(', ')
    const problem = name === undefined ? 'it names no workflow' : `there is no workflow ${shown(name)}`
    throw new BadInput('WORKFLOW_UNKNOWN', `${place}: workflow`, problem, `Workflows: ${known}`)
  }
  if (name === 'acquire') refuseSecrets(given, place)
  const filled = 'compat' in given ? { ...defaultsOf(name as WorkflowName, given.compat), ...given } : given
  const checked = schema.safeParse(filled)
  if (checked.success) {
    if (checked.data.workflow === 'annotate') checkAnnotate(checked.data, place)
    if (checked.data.workflow === 'type-cells') checkTypeCells(checked.data, place)
    if (checked.data.workflow === 'fit-reference') checkFitReference(checked.data, place)
    if (checked.data.workflow === 'map-atlas') checkMapAtlas(checked.data, place)
    return checked.data
  }
  throw settingProblem(checked.error.issues[0], Object.keys(schema.shape), place)
}

/** What `compat` changes of a workflow's defaults. */
function defaultsOf(workflow: WorkflowName, compat: unknown): object {
  if (workflow === 'type-cells') return typeCellsDefaults(compat)
  if (workflow === 'map-atlas') return mapAtlasDefaults(compat)
  return workflow === 'fit-reference' ? fitReferenceDefaults(compat) : {}
}

export function isWorkflow(name: string): name is WorkflowName {
  return Object.hasOwn(workflowSettings, name)
}

function readDocument(bytes: Uint8Array, place: string): unknown {
  if (bytes.length > longestManifest)
    throw unreadable(place, `it has ${bytes.length} bytes; a job file may have ${longestManifest}`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw unreadable(place, 'it is not UTF-8 text')
  }
  const document = parseDocument(text, { uniqueKeys: true, strict: true, logLevel: 'silent' })
  const [problem] = document.errors
  if (problem !== undefined) {
    const line = problem.linePos?.[0].line
    const told = problem.message.split('\n')[0]?.replace(/ at line.*$/, '') ?? ''
    throw unreadable(place, `${line === undefined ? '' : `line ${line}: `}${printable(told)}`)
  }
  try {
    return document.toJS({ maxAliasCount: 0 })
  } catch {
    throw unreadable(place, 'it uses aliases (*name), which are not read here')
  }
}

function settingProblem(issue: z.core.$ZodIssue | undefined, known: string[], place: string): BadInput {
  if (issue?.code === 'unrecognized_keys' && issue.path.length === 0) {
    const key = issue.keys[0] ?? ''
    return new BadInput(
      'SETTING_UNKNOWN',
      `${place}: ${printable(key).slice(0, 100)}`,
      'there is no such setting',
      `The nearest one is "${nearest(key, known)}"; docs/SETTINGS.md lists all`,
    )
  }
  const setting = (issue?.path ?? []).map((part) => printable(String(part)).slice(0, 100)).join('.')
  return new BadInput(
    'SETTING_INVALID',
    `${place}: ${setting}`,
    isMissing(issue)
      ? 'it is not given, and has no default'
      : printable(issue?.message ?? 'the value does not fit'),
    'docs/SETTINGS.md lists every setting with its values',
  )
}

function isMissing(issue: z.core.$ZodIssue | undefined): boolean {
  return issue?.code === 'invalid_type' && issue.message.endsWith('received undefined')
}

/** Of known names, the one meant: users shorten them, so a beginning counts before likeness. */
export function nearest(given: string, known: readonly string[]): string {
  const plain = given.toLowerCase().replaceAll('-', '_').slice(0, 100)
  const begun = plain.length > 2 ? known.find((name) => name.startsWith(plain)) : undefined
  return begun ?? closest(plain, known)
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `"${printable(value).slice(0, 100)}"` : `of type ${typeof value}`
}

function unreadable(place: string, problem: string): BadInput {
  return new BadInput(
    'MANIFEST_UNREADABLE',
    place,
    problem,
    'Write the job as YAML or JSON: one "setting: value" a line',
  )
}
