/** What is the folder store's own: keys as paths that never leave the folder, atomic writes, and files that others change. */
import { execFileSync } from 'node:child_process'
import {
  appendFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { onReading, onWriting } from '../../lib/job/folder-errors.ts'
import { openFolderStore } from '../../lib/job/folder-store.ts'
import type { ObjectStore } from '../../lib/job/store.ts'
import { bytesOf, collectList } from '../support/store-laws.ts'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.ts'

let temporary: TemporaryFolder
let folder: string
let store: ObjectStore
beforeEach(async () => {
  temporary = await temporaryFolder()
  folder = join(temporary.path, 'store')
  await mkdir(folder)
  store = await openFolderStore(folder)
})
afterEach(() => temporary[Symbol.asyncDispose]())

const refused = { name: 'BadInput', code: 'KEY_UNSUPPORTED', remedy: expect.stringMatching(/./) }
const keys = async () => (await collectList(store, '')).map(({ key }) => key)

describe('keys and paths', () => {
  test('a key is the path below the folder', async () => {
    await store.write('jobs/x/attempt-1/report.html', bytesOf('<html>'))
    expect(await readFile(join(folder, 'jobs', 'x', 'attempt-1', 'report.html'), 'utf8')).toBe('<html>')
    await writeFile(join(folder, 'dropped by hand.h5ad'), 'data')
    expect(await keys()).toEqual(['dropped by hand.h5ad', 'jobs/x/attempt-1/report.html'])
  })

  test.each(['/a', 'a/', 'a//b', 'a\\b', '..\\a', `a/${'é'.repeat(128)}`, '.celldrop-part-x', '/etc/passwd'])(
    'the key %j is refused and nothing is made',
    async (key) => {
      await expect(store.write(key, bytesOf('x'))).rejects.toMatchObject(refused)
      await expect(store.head(key)).rejects.toMatchObject(refused)
      expect(await readdir(folder)).toEqual([])
      expect(await readdir(temporary.path)).toEqual(['store'])
    },
  )

  test('a name of 255 bytes is taken', async () => {
    const key = `${'é'.repeat(127)}x`
    await store.write(key, bytesOf('x'))
    expect(await keys()).toEqual([key])
  })

  test('a listing cannot leave the folder either', async () => {
    await writeFile(join(temporary.path, 'outside'), 'secret')
    await expect(collectList(store, '../')).rejects.toMatchObject(refused)
    await expect(collectList(store, 'a/../../')).rejects.toMatchObject(refused)
    expect(await collectList(store, '..')).toEqual([])
  })

  test('an object and a folder of one name cannot both be, and the refusal says so', async () => {
    await store.write('a', bytesOf('file'))
    const under = store.write('a/b', bytesOf('x'))
    await expect(under).rejects.toMatchObject({ ...refused, problem: expect.stringContaining('is a file') })
    await store.write('d/e/f', bytesOf('deep'))
    const over = store.write('d', bytesOf('x'))
    await expect(over).rejects.toMatchObject({ ...refused, problem: expect.stringContaining('not empty') })
    await expect(store.write('d', bytesOf('x'), { onlyIfAbsent: true })).rejects.toMatchObject(refused)
    expect(await keys()).toEqual(['a', 'd/e/f'])
    expect(await store.head('d/e')).toBeUndefined()
    await store.remove('d/e')
    expect(await keys()).toEqual(['a', 'd/e/f'])
  })

  test('folders left empty by removed objects give way to an object of their name', async () => {
    await store.write('d/e/f', bytesOf('deep'))
    await store.remove('d/e/f')
    await store.write('d', bytesOf('now a file'), { onlyIfAbsent: true })
    expect(await keys()).toEqual(['d'])
  })

  test('a place that is a file is refused, and one reached by a link is taken', async () => {
    await writeFile(join(folder, 'file'), 'x')
    const failure = { name: 'BadInput', code: 'NOT_A_FOLDER' }
    await expect(openFolderStore(join(folder, 'file'))).rejects.toMatchObject(failure)
    await symlink(folder, join(temporary.path, 'link'))
    const linked = await openFolderStore(join(temporary.path, 'link'))
    await linked.write('sub/a', bytesOf('x'))
    expect((await collectList(linked, 'sub/')).map(({ key }) => key)).toEqual(['sub/a'])
    expect(linked.place).toBe(join(temporary.path, 'link'))
  })
})

describe('symbolic links inside the folder', () => {
  test.each([
    ['to a file outside', 'outside.txt', 'link'],
    ['to a folder outside', 'outside', 'link/file'],
    ['to a folder inside', 'store/inside', 'link/file'],
    ['to nothing', 'nothing', 'link'],
    ['to itself', 'store/link', 'link'],
  ])('a link %s is neither read nor written nor listed nor removed', async (_, target, key) => {
    await writeFile(join(temporary.path, 'outside.txt'), 'secret')
    for (const made of ['outside', 'store/inside']) {
      await mkdir(join(temporary.path, made))
      await writeFile(join(temporary.path, made, 'file'), 'secret')
    }
    await symlink(join(temporary.path, target), join(folder, 'link'))
    const failure = { ...refused, problem: expect.stringMatching(/link|as "/) }
    const range = { offset: 0, length: 1 }
    await expect(store.head(key)).rejects.toMatchObject(failure)
    await expect(store.read(key, { maxBytes: 100 })).rejects.toMatchObject(failure)
    await expect(store.openRead(key)).rejects.toMatchObject(failure)
    await expect(store.readRange(key, range, { etag: 'x' })).rejects.toMatchObject(failure)
    await expect(store.write(key, bytesOf('overwritten'))).rejects.toMatchObject(failure)
    await expect(store.write(key, bytesOf('x'), { onlyIfAbsent: true })).rejects.toMatchObject(failure)
    await expect(store.remove(key)).rejects.toMatchObject(failure)
    expect((await keys()).filter((listed) => listed.startsWith('link'))).toEqual([])
    expect(await readFile(join(temporary.path, 'outside.txt'), 'utf8')).toBe('secret')
    expect(await readdir(join(temporary.path, 'outside'))).toEqual(['file'])
    expect(await readdir(temporary.path)).toEqual(['outside', 'outside.txt', 'store'])
  })
})

test('a write through a link to a folder that is not there makes nothing', async () => {
  await symlink(join(temporary.path, 'nothing'), join(folder, 'link'))
  await expect(store.write('link/file', bytesOf('x'))).rejects.toMatchObject(refused)
  expect(await store.head('link/file')).toBeUndefined()
  expect(await readdir(temporary.path)).toEqual(['store'])
})

test('a write below a link makes no folders where the link leads', async () => {
  await mkdir(join(temporary.path, 'outside'))
  await symlink(join(temporary.path, 'outside'), join(folder, 'link'))
  await expect(store.write('link/new/file', bytesOf('x'))).rejects.toMatchObject(refused)
  expect(await readdir(join(temporary.path, 'outside'))).toEqual([])
})

describe('writes', () => {
  test('what a crash leaves behind is not listed and hinders no later write', async () => {
    await mkdir(join(folder, 'a'))
    await writeFile(join(folder, 'a', '.celldrop-part-0c4d'), 'half a file')
    await store.write('a/b', bytesOf('x'))
    expect(await keys()).toEqual(['a/b'])
    expect(await collectList(store, 'a/.celldrop')).toEqual([])
  })

  test('no write leaves a file of its own, whether it succeeds or fails', async () => {
    await store.write('a/b', bytesOf('x'))
    await store.write('a/c', bytesOf('x'), { onlyIfAbsent: true })
    await expect(store.write('a/c', bytesOf('y'), { onlyIfAbsent: true })).rejects.toThrow('exists')
    await expect(store.write('a/d', Readable.from(failing()))).rejects.toThrow('broke')
    expect(await readdir(join(folder, 'a'))).toEqual(['b', 'c'])
  })

  test('readers see the old content until the new one is whole', async () => {
    const old = await store.write('a', bytesOf('old'))
    const seen: string[] = []
    async function* body() {
      yield bytesOf('new ')
      seen.push(Buffer.from(await store.read('a', { maxBytes: 100, pin: old })).toString(), ...(await keys()))
      yield bytesOf('content')
    }
    await store.write('a', Readable.from(body()))
    expect(seen).toEqual(['old', 'a'])
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('new content')
  })

  test('errors of the system name the file and what to do', async () => {
    const fail = (code: string) => async () => {
      throw Object.assign(new Error(`${code}: told by the system`), { code })
    }
    const full = { code: 'WRITE_FAILED', place: '/a', remedy: expect.stringContaining('Make room') }
    await expect(onWriting('/a', fail('ENOSPC'))).rejects.toMatchObject(full)
    await expect(onWriting('/a', fail('EROFS'))).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
    const broken = { name: 'StoreFailure', code: 'READ_FAILED', problem: 'EIO: told by the system' }
    await expect(onReading('/a', fail('EIO'))).rejects.toMatchObject(broken)
  })
})

function* failing() {
  yield Buffer.alloc(100)
  throw new Error('the body broke')
}

describe('files that others change', () => {
  const large = 5 << 20

  test('a file that grows while it is streamed is an error, not a mixture', async () => {
    await writeFile(join(folder, 'a'), Buffer.alloc(large))
    const stream = await store.openRead('a')
    await appendFile(join(folder, 'a'), 'more')
    await expect(buffer(stream)).rejects.toMatchObject({ name: 'StoreFailure', code: 'OBJECT_CHANGED' })
  })

  test('a file that is cut while it is streamed is an error, not a short stream', async () => {
    await writeFile(join(folder, 'a'), Buffer.alloc(large))
    const stream = await store.openRead('a')
    await truncate(join(folder, 'a'), 100)
    await expect(buffer(stream)).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
  })

  test('a file rewritten in place with the same length is another content', async () => {
    await writeFile(join(folder, 'a'), 'old')
    const pin = await store.head('a')
    await writeFile(join(folder, 'a'), 'new')
    await utimes(join(folder, 'a'), 0, 1) // the clock of an old system may not have moved yet
    const reading = store.readRange('a', { offset: 0, length: 3 }, pin!)
    await expect(reading).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
  })

  test('a file replaced while it is streamed is read to its end as it was', async () => {
    await writeFile(join(folder, 'a'), Buffer.alloc(large, 'o'))
    const stream = await store.openRead('a')
    await store.write('a', bytesOf('new'))
    expect((await buffer(stream)).equals(Buffer.alloc(large, 'o'))).toBe(true)
  })

  test('a file that is moved, or gets a second name, is the same content', async () => {
    await writeFile(join(folder, 'a'), 'content')
    const pin = await store.head('a')
    await link(join(folder, 'a'), join(folder, 'b'))
    expect(await store.read('b', { maxBytes: 10, pin: pin! })).toEqual(bytesOf('content'))
    await rename(join(folder, 'a'), join(folder, 'c'))
    expect((await store.head('c'))?.etag).toBe(pin?.etag)
  })

  test('a pipe is not an object, and reading it does not wait for a writer', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')])
    expect(await store.head('pipe')).toBeUndefined()
    await expect(store.read('pipe', { maxBytes: 10 })).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
    expect(await keys()).toEqual([])
  })

  test('a name that no key can have is listed, and refused with its reason when it is read', async () => {
    await writeFile(join(folder, 'back\\slash'), 'x')
    expect(await keys()).toEqual(['back\\slash'])
    const problem = expect.stringContaining('backslash')
    await expect(store.head('back\\slash')).rejects.toMatchObject({ ...refused, problem })
  })
})
