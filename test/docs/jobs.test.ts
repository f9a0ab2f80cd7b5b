/** Docs are run: every fenced job file of a page is a job, and every fenced `npx celldrop` line has the flags that the command has. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseManifest } from '../../lib/job/manifest.ts'
import { parseArguments } from '../../lib/local/arguments.ts'
import { parseSource } from '../../lib/references/source.ts'

const docs = resolve(import.meta.dirname, '../../docs')
const pages = readdirSync(docs).filter((name) => name.endsWith('.md'))

function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(docs, page), 'utf8')
  return [...text.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    (match) => match[1]!,
  )
}

const jobs = pages.flatMap((page) => blocks(page, 'yaml').map((text): [string, string] => [page, text]))
const commands = pages.flatMap((page) =>
  blocks(page, 'sh')
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.startsWith('npx celldrop '))
    .map((line): [string, string] => [page, line.replace(/\s+#.*$/, '')]),
)

describe('the pages of docs', () => {
  it('hold job files of every kind, and commands', () => {
    expect(new Set(jobs.map(([page]) => page)).size).toBeGreaterThan(1)
    expect(commands.length).toBeGreaterThan(5)
  })

  it.each(jobs)('%s: its job file is one', (page, text) => {
    const settings = parseManifest(new TextEncoder().encode(text), page)
    if (settings.workflow === 'acquire') expect(parseSource(settings.source)).toHaveProperty('kind')
  })

  it.each(commands)('%s: %s is a command', async (_, line) => {
    const argv = [...line.matchAll(/"([^"]*)"|\S+/g)].map((match) => match[1] ?? match[0]).slice(2)
    const parsed = await parseArguments(argv)
    expect(parsed?.name).toBe(argv[0])
    if (parsed?.name === 'acquire') expect(parseSource(parsed.positionals[0]!)).toHaveProperty('kind')
  })
})
