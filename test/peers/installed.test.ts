/** Where the peers are required (CI), their absence is a failure and not a skip. */
import { expect, it } from 'vitest'
import { findPython, pythonMissing } from '../support/python.ts'
import { missingProgram } from './swift.ts'

it.runIf(process.env.CELLDROP_PEERS === 'required')(
  'the programs to compare with are installed',
  async () => {
    expect(findPython(), pythonMissing).toBeDefined()
    expect(await missingProgram(), 'a program of OpenStack Swift is missing').toBeUndefined()
  },
)
