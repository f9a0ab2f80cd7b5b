import { Bucket } from 'aws-cdk-lib/aws-s3'
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, it } from 'vitest'
import { synthesise } from '../support/stacks.ts'
import { nagExceptions } from './nag-exceptions.ts'

describe('cdk-nag', () => {
  const { app } = synthesise({ sources: ['s3://atlas/references'] })
  const { violations } = new AwsSolutionsChecks(app).validateScope(app)
  const findings = violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath = '' }) => ({ ruleName, constructPath })),
  )
  const covers = ({ finding, at }: (typeof nagExceptions)[number], found: (typeof findings)[number]) =>
    finding.test(found.ruleName) && at.test(found.constructPath)

  it('would find a bucket that takes plain HTTP, in either stack', () => {
    const { app: other } = synthesise()
    for (const name of ['Celldrop', 'CelldropStorage']) new Bucket(other.node.findChild(name), 'Careless')
    const found = new AwsSolutionsChecks(other).validateScope(other).violations
    const careless = found.find(({ ruleName }) => ruleName === 'AwsSolutions-S10')?.violatingResources
    expect(careless?.map(({ constructPath }) => constructPath).sort()).toEqual([
      'Celldrop/Careless/Resource',
      'CelldropStorage/Careless/Resource',
    ])
  })

  it('finds nothing but what is excepted with a reason', () => {
    expect(findings.filter((found) => !nagExceptions.some((exception) => covers(exception, found)))).toEqual(
      [],
    )
  })

  it.each(nagExceptions)('finds $finding still, which is excepted: $reason', (exception) => {
    expect(findings.some((found) => covers(exception, found))).toBe(true)
    expect(exception.reason.length).toBeGreaterThan(20)
  })
})
