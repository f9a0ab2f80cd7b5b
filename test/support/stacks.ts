/** The stacks as templates, without bundling: nothing is read but this repository, and no account is asked. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { makeStacks } from '../../lib/stacks/make-stacks.ts'
import { type CelldropProps, readProps } from '../../lib/stacks/props.ts'

export const root = resolve(import.meta.dirname, '../..')

/** Feature flags: an App that is made in a test does not read cdk.json, and would synthesise another template. */
export const flags: Record<string, unknown> = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')).context

export interface Resource {
  Type: string
  Properties: Record<string, unknown>
  DeletionPolicy?: string
}

export function synthesise(chosen: Partial<CelldropProps> = {}) {
  const outdir = mkdtempSync(join(tmpdir(), 'celldrop-cdk-'))
  const app = new App({ context: { ...flags, 'aws:cdk:bundling-stacks': [] }, outdir })
  const stacks = makeStacks(app, { ...readProps(() => undefined), ...chosen, root })
  const storage = Template.fromStack(stacks.storage)
  const celldrop = Template.fromStack(stacks.celldrop)
  rmSync(outdir, { recursive: true })
  return { app, storage, celldrop }
}

export function resources(template: Template, type?: string): [string, Resource][] {
  const all = Object.entries(template.toJSON().Resources as Record<string, Resource>)
  return all.filter(([, { Type }]) => type === undefined || Type === type)
}

/** Properties of the one resource of a type. */
export function onlyOne(template: Template, type: string): Record<string, unknown> {
  const found = resources(template, type)
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} resources of ${type}`)
  return found[0][1].Properties
}

export interface Statement {
  Effect: string
  Action: string | string[]
  Resource: unknown
  Condition?: Record<string, Record<string, unknown>>
}

/** Every statement that a role has, wherever it stands. */
export function statementsOf(template: Template, roleName: string): Statement[] {
  const found: Statement[] = []
  const documents = (properties: Record<string, unknown>) =>
    (properties.PolicyDocument as { Statement: Statement[] }).Statement
  for (const [name, { Type, Properties }] of resources(template)) {
    if (Type === 'AWS::IAM::Role' && name.startsWith(roleName))
      for (const policy of (Properties.Policies ?? []) as Record<string, unknown>[])
        found.push(...documents(policy))
    if (Type !== 'AWS::IAM::Policy') continue
    const roles = Properties.Roles as { Ref: string }[]
    if (roles.some(({ Ref }) => Ref.startsWith(roleName))) found.push(...documents(Properties))
  }
  return found
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value]
}

/** CloudFormation's functions as one readable text: `<Inbox.Arn>/jobs/*`. */
export function flat(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return String(value)
  const [[name, content] = ['', ''] as const] = Object.entries(value)
  if (name === 'Ref') return `<${content}>`
  if (name === 'Fn::GetAtt') return `<${(content as string[]).join('.')}>`
  if (name === 'Fn::Join') return (content as [string, unknown[]])[1].map(flat).join((content as [string])[0])
  if (name === 'Fn::Sub') return String(content)
  // of an export of the storage stack what it is of: Inbox, Work, ...
  if (name === 'Fn::ImportValue') {
    const [, attribute, resource] =
      /ExportsOutput(Ref|FnGetAtt)(Inbox|Work|Models|References|Outbox|Key)/.exec(String(content)) ?? []
    return attribute === 'Ref' ? `<${resource}>` : `<${resource}.Arn>`
  }
  return JSON.stringify(value)
}
