/** Twins: the folder, S3's double, with and without versions, and Google's obey one list of laws. */
import { openFolderStore } from '../../lib/job/folder-store.ts'
import { openGcsStore } from '../../lib/job/gcs-store.ts'
import { openS3Store } from '../../lib/job/s3-store.ts'
import { startGcsDouble } from '../support/gcs-double.ts'
import { startS3Double } from '../support/s3-double/server.ts'
import { storeLaws } from '../support/store-laws.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

storeLaws('the folder store', async () => {
  const folder = await temporaryFolder()
  const store = await openFolderStore(`${folder.path}/made/by/the/first/write`)
  return { store, dispose: () => folder[Symbol.asyncDispose]() }
})

storeLaws('the S3 store', async () => {
  const double = await startS3Double()
  double.addBucket('bucket')
  const store = openS3Store({ bucket: 'bucket', client: double.client() })
  return { store, dispose: () => double[Symbol.asyncDispose]() }
})

storeLaws('the S3 store under a prefix', async () => {
  const double = await startS3Double()
  double.addBucket('bucket')
  double.put('bucket', 'pre', 'not below the prefix')
  double.put('bucket', 'pre fix/', 'the marker of a folder')
  const store = openS3Store({ bucket: 'bucket', prefix: 'pre fix/', client: double.client() })
  return { store, dispose: () => double[Symbol.asyncDispose]() }
})

const openVersioned = async () => {
  const double = await startS3Double()
  double.addBucket('bucket', { versioned: true })
  const store = openS3Store({ bucket: 'bucket', client: double.client() })
  return { store, dispose: () => double[Symbol.asyncDispose]() }
}
storeLaws('the S3 store over a bucket with versions', openVersioned, { keeps: 'versions' })

storeLaws('the Google store', async () => {
  const double = await startGcsDouble()
  double.pageSize = 400
  double.buckets.set('bucket', { objects: new Map(), isPublic: true, isOpen: true })
  double.put('bucket', 'pre', 'not below the prefix')
  double.put('bucket', 'pre fix/', 'the marker of a folder')
  const environment = { STORAGE_EMULATOR_HOST: double.address }
  const store = openGcsStore({ bucket: 'bucket', prefix: 'pre fix/', environment, isLocal: false })
  return { store, dispose: () => double[Symbol.asyncDispose]() }
})
