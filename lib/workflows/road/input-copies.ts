/**
 * Copies of inputs on a machine's own disk, and how they are spoken of: a scratch folder means nothing to a user, and is another one each
 * time, so notices and errors name what the copy was made of.
 */
import { join } from 'node:path'
import { atPlace, type ErrorReport, isCoded } from '../../job/errors.ts'
import type { InputPin } from '../../job/road.ts'
import type { Road } from '../workflow.ts'

/** Named by what it is for: keys may be longer than names of files, and formats are told by content. */
export function copyOf({ role }: Pick<InputPin, 'role'>, scratch: string): string {
  return join(scratch, 'input', role)
}

interface Copies {
  road: Road
  scratch: string
}

export function noticeOfInput(notice: ErrorReport, copies: Copies): ErrorReport {
  return { ...notice, place: placeOfInput(notice.place, copies) }
}

export function errorOfInput(error: unknown, copies: Copies): unknown {
  if (!isCoded(error)) return error
  const place = placeOfInput(error.place, copies)
  return place === error.place ? error : atPlace(error, place)
}

function placeOfInput(place: string, { road, scratch }: Copies): string {
  return road.inputs.reduce(
    (told, { pin, facts }) => told.replaceAll(copyOf(pin, scratch), facts.inspection.place),
    place,
  )
}
