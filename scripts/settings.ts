/** Writes docs/SETTINGS.md and docs/job.schema.json: `node scripts/settings.ts`. A test compares them with what this would write. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { jobSchema, settingsPage } from '../lib/local/settings-page.ts'

const docs = resolve(import.meta.dirname, '../docs')
writeFileSync(resolve(docs, 'SETTINGS.md'), settingsPage())
writeFileSync(resolve(docs, 'job.schema.json'), jobSchema())
