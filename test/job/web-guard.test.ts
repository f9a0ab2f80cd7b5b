/** Which machines may be asked: the ranges, names that lead to them, and names that lead elsewhere the second time. */
import { describe, expect, it, test, vi } from 'vitest'
import { openHttpStore } from '../../lib/job/http-store.ts'
import { checkHost, guardedLookup, isWithinReach, type Reach } from '../../lib/job/web-guard.ts'
import { startWebDouble, testCertificate } from '../support/web-double.ts'

const leadsTo: string[][] = []
vi.mock('node:dns', async (original) => ({
  ...(await original<typeof import('node:dns')>()),
  lookup: (_: string, __: object, done: (error: null, found: object[]) => void) => {
    const addresses = leadsTo.shift() ?? []
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  },
}))

const reaches: Reach[] = ['public', 'network', 'all']

describe('an address of the network', () => {
  test.each([
    [
      'on the internet',
      ['8.8.8.8', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808'],
      3,
    ],
    ['of a private network', ['10.1.2.3', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd12::1'], 2],
    ['private, in the clothes of IPv6', ['::ffff:10.0.0.1', '::ffff:a00:1', '64:ff9b::a00:1'], 2],
    ['for no single machine', ['224.0.0.1', '255.255.255.255', 'ff02::1', '2001:db8::1', '2002:a00:1::'], 2],
    ['of this machine', ['127.0.0.1', '127.9.9.9', '0.0.0.0', '::1', '::', '::ffff:7f00:1'], 1],
    ['of the metadata service', ['169.254.169.254', '169.254.170.2', 'fd00:ec2::254', '::ffff:a9fe:a9fe'], 0],
    ['of the link', ['fe80::1', 'fe80::1%eth0', '64:ff9b::a9fe:a9fe'], 0],
    ['that is none', ['', 'localhost', '1.2.3'], 0],
  ])('%s is within its reach', (_, addresses, within) => {
    for (const address of addresses) {
      const allowed = reaches.filter((reach) => isWithinReach(address, reach))
      expect([address, allowed]).toEqual([address, reaches.slice(3 - within)])
    }
  })

  test.each([
    'https://127.0.0.1/x',
    'https://2130706433/x',
    'https://0x7f.1/x',
    'https://[::1]/x',
    'https://[::ffff:127.0.0.1]/x',
    'https://localhost/x',
    'https://169.254.169.254/latest/meta-data',
    'https://10.0.0.1/x',
  ])('in the location %s is refused in an account', (location) => {
    expect(() => checkHost(new URL(location), 'public')).toThrow(
      expect.objectContaining({ code: 'SOURCE_REFUSED' }),
    )
  })
})

describe('a name', () => {
  const resolve = (reach: Reach) =>
    new Promise((done) =>
      guardedLookup(reach)('files.example', { all: true }, (error, found) => done(error ?? found)),
    )

  it('is given with those of its addresses that are within reach', async () => {
    leadsTo.push(['10.0.0.1', '8.8.8.8', '::1'])
    expect(await resolve('public')).toEqual([{ address: '8.8.8.8', family: 4 }])
    leadsTo.push(['10.0.0.1', '169.254.169.254'])
    expect(await resolve('public')).toMatchObject({ code: 'SOURCE_REFUSED', place: 'files.example' })
  })

  it('is looked up for each connection, and the connection is made to what was looked at', async () => {
    await using double = await startWebDouble({ secure: true })
    double.files.set('/x', { bytes: Buffer.from('content') })
    const base = `https://files.example:${double.port}`
    leadsTo.push(['127.0.0.1'], ['8.8.8.8'])
    const laptop = openHttpStore(base, { isLocal: true, authorities: testCertificate })
    expect(await laptop.head('x')).toMatchObject({ size: 7 })
    // had the name been asked once more behind the guard, it would have led elsewhere
    expect(leadsTo).toHaveLength(1)
    leadsTo.length = 0
    const made = double.connections
    leadsTo.push(['127.0.0.1'])
    const account = openHttpStore(base, { isLocal: false, authorities: testCertificate })
    await expect(account.head('x')).rejects.toMatchObject({ name: 'BadInput', code: 'SOURCE_REFUSED' })
    expect(double.connections).toBe(made)
  })
})
