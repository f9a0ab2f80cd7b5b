/** Addresses: what is one, what of it may be shown, and which are within what an installation may read. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { allowedSources, isAllowedSource } from '../../lib/job/allowed-sources.ts'
import { parseWebAddress, shownLocation, unsignedQuery, webUrl } from '../../lib/job/web-address.ts'

describe('an address', () => {
  it('is taken apart into origin, encoded path and query', () => {
    expect(parseWebAddress('HTTPS://Host.org:443/a%2Fb/c%20d.h5ad?sig=x%20y')).toEqual({
      origin: 'https://host.org',
      path: 'a%2Fb/c%20d.h5ad',
      access: '?sig=x%20y',
    })
    expect(parseWebAddress('http://127.0.0.1:8000/x')).toMatchObject({ origin: 'http://127.0.0.1:8000' })
  })

  it('is put together again as it was', () => {
    const segment = fc
      .stringMatching(/^[A-Za-z0-9._~!$&'()*+,;=:@-]{1,12}$/)
      .filter((text) => text !== '.' && text !== '..')
    const query = fc.oneof(fc.constant(''), fc.stringMatching(/^\?[A-Za-z0-9=&%]{1,20}$/))
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), query, (segments, access) => {
        const location = `https://host.org/${segments.join('/')}${access}`
        const { origin, path, access: kept } = parseWebAddress(location)
        expect(webUrl(origin, path, kept).href).toBe(new URL(location).href)
      }),
    )
  })

  test.each([
    'https://',
    'https:///x',
    'https://host/a/../b',
    'https://host/a/%2e%2E/b',
    'https://host/a/..%2fb',
    'https://host/./b',
    'https://host/a\\b',
    'https://host\\@evil/a',
    'https://good.com@evil.com/a',
    'https://user:pass@host/a',
    'https://ho\nst/a',
    ' https://host/a',
    'https://host/a#b',
    'http://host/a',
    'http://localhost.evil.com/a',
    'ftp://host/a',
    'host/a',
  ])('%j is refused', (location) => {
    expect(() => parseWebAddress(location)).toThrow(
      expect.objectContaining({ name: 'BadInput', code: 'LOCATION_UNSUPPORTED' }),
    )
  })

  it('is never told with its query, name or password', () => {
    for (const location of [
      'https://user:hunter2@host/a?token=hunter2',
      'https://host/a/../b?hunter2',
      'https://host/a?x=hunter2#hunter2',
      'https://host?hunter2@y',
    ]) {
      expect(shownLocation(location)).not.toContain('hunter2')
      expect(() => parseWebAddress(`${location}\n`)).toThrow(expect.not.stringContaining('hunter2'))
    }
    expect(shownLocation('/a/path?as it is')).toBe('/a/path?as it is')
  })

  it('keeps of its query what names a file, and leaves away what signs it', () => {
    const amazon = '?id=7&X-Amz-Signature=abc&X-Amz-Date=20260101T000000Z&X-Amz-Expires=60'
    expect(unsignedQuery(amazon)).toBe('id=7')
    expect(unsignedQuery('?sv=2024&sig=abc&se=2026&id=7')).toBe('id=7')
    expect(unsignedQuery('?se=2026&id=7')).toBe('se=2026&id=7')
    expect(unsignedQuery('')).toBe('')
  })
})

describe('a place that may be read', () => {
  const allowed = ['https://good.com/data/', 's3://bucket/prefix', 'gs://pool', 'https://whole.org']

  test.each([
    'https://good.com/data/x.h5ad',
    'HTTPS://GOOD.com:443/data/a/b?signed=1',
    's3://bucket/prefix/x',
    's3://bucket/prefix',
    'gs://pool/x',
    'https://whole.org/any/thing',
  ])('%s lies within', (location) => {
    expect(isAllowedSource(location, allowed)).toBe(true)
  })

  test.each([
    'https://good.com.evil.com/data/x',
    'https://good.com:444/data/x',
    'https://good.com./data/x',
    'http://good.com/data/x',
    'https://evil.com/https://good.com/data/x',
    'https://good.com@evil.com/data/x',
    'https://good.com/database/x',
    'https://good.com/Data/x',
    'https://good.com/data/../secret',
    'https://good.com/data/%2e%2e/secret',
    'https://good.com/data/..%2Fsecret',
    'https://good.com/data\\..\\secret',
    'https://good.com//data/x',
    's3://bucket/prefixed/x',
    's3://bucket/prefix/../x',
    's3://Bucket/prefix/x',
    's3://bucket2/prefix/x',
    's3://bucket',
    'gs://pool2/x',
    'gs://bucket/prefix/x',
    '/etc/passwd',
    'file:///etc/passwd',
    '',
  ])('%j does not', (location) => {
    expect(isAllowedSource(location, allowed)).toBe(false)
    expect(isAllowedSource(location, [])).toBe(false)
  })

  it('is whatever the owner of a laptop names, but for what is no location', () => {
    const everywhere = allowedSources({ CELLDROP_LOCAL_FILES: '1' })
    for (const location of ['https://any.org/x', 's3://any/x', 'gs://any/x', 'http://localhost:8000/x'])
      expect(isAllowedSource(location, everywhere)).toBe(true)
    for (const location of ['http://any.org/x', 'https://any.org/../x', 'ftp://any.org/x'])
      expect(isAllowedSource(location, everywhere)).toBe(false)
  })

  it('is a service as a whole, where that is listed', () => {
    const listed = allowedSources({ CELLDROP_SOURCES: 'cellxgene://, s3://b' })
    expect(isAllowedSource('cellxgene://human_lung_cell_atlas', listed)).toBe(true)
    expect(isAllowedSource('CELLxGENE://?tissue=lung', listed)).toBe(true)
    expect(isAllowedSource('synapse://syn1', listed)).toBe(false)
    expect(isAllowedSource('synapse://syn1', allowedSources({ CELLDROP_LOCAL_FILES: '1' }))).toBe(true)
    for (const pattern of ['cellxgene:', 'cellxgene://human_lung_cell_atlas', 'synapse://syn'])
      expect(() => allowedSources({ CELLDROP_SOURCES: pattern })).toThrow('CELLDROP_SOURCES')
  })

  it('is in an account what its platform engineer lists, and nothing where nothing is listed', () => {
    expect(allowedSources({})).toEqual([])
    expect(allowedSources({ CELLDROP_SOURCES: ' https://a.org/ ,s3://b/c,, gs://d' })).toEqual([
      'https://a.org/',
      's3://b/c',
      'gs://d',
    ])
    for (const pattern of ['https:', 's3:', '*', 'a.org', 'https://a.org/../b', 'https://u:hunter2@a.org'])
      expect(() => allowedSources({ CELLDROP_SOURCES: pattern })).toThrow(
        expect.objectContaining({ code: 'CONFIGURATION', problem: expect.not.stringContaining('hunter2') }),
      )
  })
})
