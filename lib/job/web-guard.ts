/**
 * Which machines of the network may be asked. In an account nothing but the public internet: the addresses of the metadata service, of
 * the container's credentials and of a private network answer whoever asks from inside. On a laptop its owner may read what is around
 * it, but what a server redirects to is the server's choice, and is never this machine itself.
 *
 * Trap: a name may lead to another address each time it is looked up, so what is checked is what the connection is then made to.
 */
import { type LookupAddress, lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { BadInput } from './errors.ts'
import { isLoopbackHost } from './web-address.ts'

/** public: the internet. network: also private networks. all: also this machine. Link-local addresses are in none of them. */
export type Reach = 'public' | 'network' | 'all'

const loopback = blockList(['127.0.0.0/8', '::1/128', '0.0.0.0/32', '::/128'])
/** also the one metadata address that is not link-local */
const linkLocal = blockList(['169.254.0.0/16', 'fe80::/10', 'fd00:ec2::/32'])
const notPublic = blockList([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24'],
  ...['192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3'],
  ...['::/96', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
  ...['5f00::/16', 'fc00::/7', 'fec0::/10', 'ff00::/8'],
])
/** NAT64 (RFC 6052): stands for an IPv4 address, which is then the one that counts. `BlockList` does so itself for `::ffff:`. */
const nat64 = /^64:ff9b::(?:(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4}))?$/i

export function isWithinReach(address: string, reach: Reach): boolean {
  const plain = embeddedIPv4(address) ?? address
  const family = isIP(plain) === 4 ? 'ipv4' : 'ipv6'
  if (isIP(plain) === 0 || linkLocal.check(plain, family)) return false
  if (reach === 'all') return true
  if (loopback.check(plain, family)) return false
  return reach === 'network' || !notPublic.check(plain, family)
}

function embeddedIPv4(address: string): string | undefined {
  const groups = nat64.exec(address)
  if (groups === null) return undefined
  const numbers = [groups[1], groups[2]].map((group) => Number.parseInt(group ?? '0', 16))
  return numbers.flatMap((number) => [number >> 8, number & 255]).join('.')
}

/** Hosts that are addresses are never looked up. @throws BadInput SOURCE_REFUSED */
export function checkHost({ hostname, host }: URL, reach: Reach): void {
  const address = hostname.replace(/^\[|\]$/g, '')
  const isRefused =
    isIP(address) > 0 ? !isWithinReach(address, reach) : isLoopbackHost(hostname) && reach !== 'all'
  if (isRefused) throw outOfReach(host, reach)
}

/** For a connection: only addresses within reach are handed to it, and it is made to one of those. */
export function guardedLookup(reach: Reach): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return done(error, '')
      const allowed = addresses.filter(({ address }) => isWithinReach(address, reach))
      const [first] = allowed
      if (first === undefined) return done(outOfReach(hostname, reach), '')
      if (options.all) done(null, allowed)
      else done(null, first.address, first.family)
    })
  }
}

function outOfReach(host: string, reach: Reach): BadInput {
  const problem = {
    public: 'this host is not on the public internet, and nothing else is read from here',
    network: 'a server sent the request on to this machine itself',
    all: 'this host has a link-local address, where no file lies',
  }[reach]
  return new BadInput(
    'SOURCE_REFUSED',
    host,
    problem,
    'Upload the file, or name a host that anyone can reach',
  )
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
