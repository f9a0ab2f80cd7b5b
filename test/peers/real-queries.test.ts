/**
 * Every real file beside the repository as the query of a real model: annotated along the whole road, or refused as
 * test/support/real-queries.ts says. Takes minutes, which is why it is among the peers; twice as many with CELLDROP_REAL=all, which has
 * each file meet both models and not one of them in turn.
 */
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installation, makeInstallation } from '../support/installation.ts'
import { importRealModel, type RealModel } from '../support/real-models.ts'
import { realQueries, taken } from '../support/real-queries.ts'
import { expectAnnotated, expectOutcome, outcomeOf } from '../support/real-query-run.ts'
import { hasShared, sharedPath } from '../support/shared.ts'

describe.skipIf(!hasShared)('every real file', () => {
  let lab: Installation
  beforeAll(async () => {
    lab = await makeInstallation()
    await importRealModel(lab.stores, 'pbmc-sorted')
    await importRealModel(lab.stores, 'lung31')
  })
  afterAll(() => lab?.folder[Symbol.asyncDispose]())

  it('that is an h5ad is in the table', () => {
    const names = readdirSync(sharedPath('data'), { recursive: true, encoding: 'utf8' })
    expect(names.filter((name) => name.endsWith('.h5ad') && !(name in realQueries))).toEqual([])
  })

  const trials = Object.entries(realQueries).flatMap(
    ([name, [blood, lung]], row): [string, RealModel, string][] => {
      const both: [string, RealModel, string][] = [
        [name, 'pbmc-sorted', blood],
        [name, 'lung31', lung],
      ]
      return process.env.CELLDROP_REAL === 'all' ? both : [both[row % 2]!]
    },
  )

  it.each(trials)('%s with %s: %s', async (name, model, expected) => {
    expectOutcome(await outcomeOf(lab, name, model), expected)
    if (taken(expected) !== undefined) await expectAnnotated(lab, name, model)
  })
})
