/**
 * Flags made from the settings of a workflow: `min_counts` is `--min-counts 200`, a switch is `--umap` or `--no-umap`, a list is given several
 * times or with commas, a table as `--ontology "T cell=CL:0000084"`. Nothing of a setting is written here; the schema has it all.
 */
import { z } from 'zod'
import { BadInput } from '../job/errors.ts'
import { type WorkflowName, workflowSettings } from '../job/manifest.ts'
import type { Flag, Flags } from './command.ts'

/** The setting that a command has for its argument, by workflow. */
export const argumentOf: Record<WorkflowName, string> = {
  annotate: 'query',
  'type-cells': 'query',
  'fit-reference': 'atlas',
  'map-atlas': 'query',
  acquire: 'source',
}

/** One setting as JSON Schema tells it, which is what flags and docs/SETTINGS.md go by. */
export interface SettingFact {
  key: string
  flag: string
  type: 'string' | 'number' | 'integer' | 'boolean' | 'array' | 'object'
  choices: string[]
  isRequired: boolean
  default?: unknown
  minimum?: number
  maximum?: number
  aboveZero: boolean
  /** a list that may be one text, too */
  orOne?: boolean
  /** a number that may be this word, too */
  orWord?: string
  /** of a table: what its values are, and whether a file may be named in its place */
  table?: { values: 'text' | 'number'; orFile: boolean }
  describe: string
}

const table = z.object({
  type: z.literal('object'),
  additionalProperties: z.object({ type: z.enum(['string', 'number']) }),
})
const text = z.object({ type: z.literal('string') })
const list = z.object({ type: z.literal('array') })
const number = z.object({
  type: z.literal('number'),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
})
const word = z.object({ type: z.literal('string'), const: z.string() })
const fact = z.object({
  type: z.enum(['string', 'number', 'integer', 'boolean', 'array', 'object']).optional(),
  additionalProperties: table.shape.additionalProperties.optional().catch(undefined),
  anyOf: z
    .union([z.tuple([number, word]), z.tuple([z.union([table, text]), z.union([text, list])])])
    .optional(),
  description: z.string(),
  default: z.unknown().optional(),
  const: z.string().optional(),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  exclusiveMinimum: z.number().optional(),
  maximum: z.number().optional(),
})
const schemaFacts = z.object({
  properties: z.record(z.string(), fact),
  required: z.array(z.string()).default([]),
})

export function settingFacts(workflow: WorkflowName): SettingFact[] {
  const { properties, required } = schemaFacts.parse(
    z.toJSONSchema(workflowSettings[workflow], { io: 'input' }),
  )
  return Object.entries(properties).map(([key, property]) => ({
    key,
    flag: key.replaceAll('_', '-'),
    ...(numberOrWord(property) ??
      (isTextOrList(property)
        ? { type: 'array', orOne: true }
        : { type: property.type ?? 'object', ...tableOf(property) })),
    choices: property.enum ?? (property.const === undefined ? [] : [property.const]),
    isRequired: required.includes(key),
    ...(property.default !== undefined && { default: property.default }),
    ...(property.minimum !== undefined && { minimum: property.minimum }),
    ...(Number(numbersOf(property).maximum) < Number.MAX_SAFE_INTEGER && {
      maximum: Number(numbersOf(property).maximum),
    }),
    aboveZero: numbersOf(property).exclusiveMinimum === 0,
    describe: property.description,
  }))
}

function isTextOrList({ anyOf }: z.infer<typeof fact>): boolean {
  return anyOf?.[0].type === 'string' && anyOf[1].type === 'array'
}

function numberOrWord({ anyOf }: z.infer<typeof fact>): { type: 'number'; orWord: string } | undefined {
  const [first, second] = anyOf ?? []
  if (first?.type !== 'number' || second === undefined || !('const' in second)) return undefined
  return { type: 'number', orWord: second.const }
}

/** Where bounds of a number stand. */
function numbersOf(property: z.infer<typeof fact>): { exclusiveMinimum?: number; maximum?: number } {
  const [first] = property.anyOf ?? []
  const { exclusiveMinimum, maximum } = first?.type === 'number' ? first : property
  return {
    ...(exclusiveMinimum !== undefined && { exclusiveMinimum }),
    ...(maximum !== undefined && { maximum }),
  }
}

function tableOf({ type, anyOf, additionalProperties }: z.infer<typeof fact>): Pick<SettingFact, 'table'> {
  const [first] = anyOf ?? []
  const ofEither = first?.type === 'object' ? first.additionalProperties : undefined
  const values = ofEither ?? (type === 'object' ? additionalProperties : undefined)
  if (values === undefined) return {}
  return { table: { values: values.type === 'number' ? 'number' : 'text', orFile: anyOf !== undefined } }
}

/** @param taken settings that a command has another way to give */
export function settingFlags(workflow: WorkflowName, taken: readonly string[]): Record<string, Flag> {
  const facts = settingFacts(workflow).filter(({ key }) => !taken.includes(key))
  return Object.fromEntries(facts.map((setting) => [setting.flag, flagOf(setting)]))
}

function flagOf(setting: SettingFact): Flag {
  const { type, choices, describe } = setting
  const told = setting.default === undefined ? describe : `${describe} (default ${shownDefault(setting)})`
  if (type === 'boolean')
    return { type: 'boolean', describe, ...(setting.default === true && { isOn: true }) }
  const value =
    choices.length > 0
      ? choices.map((choice) => (/\s/.test(choice) ? `"${choice}"` : choice)).join('|')
      : {
          string: 'TEXT',
          number: setting.orWord === undefined ? 'NUMBER' : `NUMBER|${setting.orWord}`,
          integer: 'NUMBER',
          array: 'A,B,...',
          object: setting.table?.orFile ? 'NAME=VALUE|FILE' : 'NAME=VALUE',
        }[type]
  const multiple = type === 'array' || type === 'object'
  return { type: 'string', value, describe: told, ...(multiple && { multiple }) }
}

export function shownDefault({ default: value, type }: SettingFact): string {
  if (type === 'array' || type === 'object') return 'none'
  return value === '' ? 'empty' : String(value)
}

/** What was typed, as a job file would say it; the schema then decides whether it is allowed. */
export function settingsOfFlags(workflow: WorkflowName, flags: Flags): Record<string, unknown> {
  const settings: Record<string, unknown> = {}
  for (const setting of settingFacts(workflow)) {
    const value = flags[setting.flag]
    if (value !== undefined) settings[setting.key] = settingOf(setting, value)
  }
  return settings
}

function settingOf(setting: SettingFact, value: string | boolean | (string | boolean)[]): unknown {
  const { type, flag, table: entries } = setting
  const texts = [value].flat().map(String)
  switch (type) {
    case 'number':
    case 'integer':
      return value === setting.orWord ? value : numberOf(String(value), flag)
    case 'array': {
      const parts = texts.flatMap((text) => text.split(',').map((part) => part.trim()))
      return setting.orOne && parts.length === 1 ? parts[0] : parts
    }
    case 'object':
      if (entries?.orFile && texts.length === 1 && !texts[0]!.includes('=')) return texts[0]
      return Object.fromEntries(
        texts
          .map((text) => entryOf(text, flag))
          .map(([name, text]) => [name, entries?.values === 'number' ? numberOf(text, flag) : text]),
      )
    default:
      return value
  }
}

function numberOf(text: string, flag: string): number {
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(number)) return number
  throw new BadInput('SETTING_INVALID', `--${flag}`, `"${text.slice(0, 100)}" is no number`, 'Give a number')
}

/** The last '=' parts them: a label may hold one, an ontology id may not. */
function entryOf(text: string, flag: string): [string, string] {
  const cut = text.lastIndexOf('=')
  if (cut > 0) return [text.slice(0, cut), text.slice(cut + 1)]
  const remedy = `Write it as --${flag} "name=value", several times if need be`
  throw new BadInput('SETTING_INVALID', `--${flag}`, `"${text.slice(0, 100)}" has no "="`, remedy)
}
