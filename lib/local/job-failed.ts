/** A job that came to its end without results, with the report that stands in error.json. */
import type { ErrorReport } from '../job/errors.ts'

export class JobFailed extends Error {
  override readonly name = 'JobFailed'
  readonly report: ErrorReport
  /** the input or the job file is at fault, not the machine: exit code 2 */
  readonly isRefused: boolean

  constructor(report: ErrorReport, { isRefused, cause }: { isRefused: boolean; cause?: unknown }) {
    super(`${report.place}: ${report.problem}. ${report.remedy}`, { cause })
    this.report = report
    this.isRefused = isRefused
  }
}
