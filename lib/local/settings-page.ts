/** docs/SETTINGS.md and docs/job.schema.json, made from the schemas of the workflows: neither says anything that is not there. */
import { z } from 'zod'
import { type WorkflowName, workflowSettings } from '../job/manifest.ts'
import { argumentOf, type SettingFact, settingFacts, shownDefault } from './setting-flags.ts'

export function settingsPage(): string {
  const names = Object.keys(workflowSettings) as WorkflowName[]
  return `# Settings

Every setting of a job file, made by \`node scripts/settings.ts\` from \`lib/job/settings\`. On the command line each is a flag too:
\`min_counts: 100\` is \`--min-counts 100\`, \`umap: false\` is \`--no-umap\`, a list is given with commas or several times, a table as
\`--ontology "T cell=CL:0000084"\`. [job.schema.json](job.schema.json) has the same for editors and programs.

${names.map(workflowTable).join('\n')}`
}

function workflowTable(workflow: WorkflowName): string {
  const rows = settingFacts(workflow).map((setting) =>
    [
      `\`${setting.key}\``,
      typeOf(setting),
      defaultOf(setting),
      setting.describe,
      flagOf(setting, workflow),
    ].map(cell),
  )
  const table = [['setting', 'type', 'default', 'meaning', 'flag'], Array<string>(5).fill('---'), ...rows]
  return `## ${workflow}

${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`
}

function typeOf({ type, table, orOne, orWord, choices, minimum, maximum, aboveZero }: SettingFact): string {
  if (choices.length > 0) return choices.map((choice) => `\`${choice}\``).join(', ')
  const words = {
    string: 'text',
    number: 'number',
    integer: 'whole number',
    boolean: 'true or false',
    array: orOne ? 'text, or list of texts' : 'list of texts',
    object: `table: label to ${table?.values === 'number' ? 'number' : 'CL id'}${table?.orFile ? ', or a file' : ''}`,
  }
  if (type !== 'number' && type !== 'integer') return words[type]
  const from = aboveZero ? 'above 0' : minimum === undefined ? '' : `from ${minimum}`
  const range = [words[type], from, maximum === undefined ? '' : `to ${maximum}`]
    .filter((part) => part !== '')
    .join(' ')
  return orWord === undefined ? range : `${range}, or \`${orWord}\``
}

function defaultOf(setting: SettingFact): string {
  if (setting.isRequired) return 'required'
  if (setting.default === undefined) return ''
  const shown = shownDefault(setting)
  return shown === 'none' || shown === 'empty' ? shown : `\`${shown}\``
}

/** What a job is and what it works on is not said by a flag. */
function flagOf({ key, flag, type, default: value }: SettingFact, workflow: WorkflowName): string {
  if (key === 'workflow') return `\`celldrop ${workflow}\``
  if (key === argumentOf[workflow]) return 'the argument'
  return `\`--${type === 'boolean' && value === true ? 'no-' : ''}${flag}\``
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}

/** One JSON Schema for all job files: which settings there may be is decided by `workflow`. */
export function jobSchema(): string {
  const schemas = Object.values(workflowSettings).map((schema) => {
    const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' })
    return rest
  })
  const whole = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Celldrop job',
    oneOf: schemas,
  }
  // lists of plain values on one line, as the formatter of this repository writes them
  const text = JSON.stringify(whole, null, 2)
  return `${text.replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, items: string) => `[${items.split(/,\s+/).join(', ')}]`)}\n`
}
