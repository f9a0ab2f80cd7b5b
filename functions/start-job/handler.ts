/** StartJob: an upload to the inbox starts one execution, however often it is told of; other uploads are let be. */
import { openExecutions } from '../../lib/job/executions.ts'
import { setting } from '../../lib/job/stores.ts'
import { executionName, startOf, uploadOf } from '../../lib/job/uploads.ts'
import { makeHandler } from '../../lib/workflows/road/lambda.ts'

export const handler = makeHandler(async (event: unknown, environment) => {
  const arrived = uploadOf(event)
  const inbox = setting(environment, 'CELLDROP_INBOX')
  if (arrived === undefined || inbox !== `s3://${arrived.bucket}`) {
    console.log(JSON.stringify({ ignored: 'not the upload of a job' }))
    return { started: false }
  }
  const start = startOf(arrived.upload, { inbox, created: arrived.time })
  const executions = openExecutions(setting(environment, 'CELLDROP_STATE_MACHINE'))
  const outcome = await executions.start(start)
  console.log(JSON.stringify({ execution: executionName(start), outcome }))
  return { started: outcome === 'started', execution: executionName(start) }
})
