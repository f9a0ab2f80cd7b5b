/** The refusals of models, worded once. What comes from a file is made printable before it stands in a message. */
import { BadInput } from '../job/errors.ts'

const longestShown = 120

/** The file does not say what a model must say, or contradicts itself. */
export function corrupt(place: string, problem: string, cause?: unknown): BadInput {
  const remedy = 'Download or export the model again'
  return new BadInput('MODEL_CORRUPT', place, problem, remedy, cause === undefined ? undefined : { cause })
}

/** The file would have Python run something that no model needs. Nothing was run. */
export function unsafe(place: string, what: string): BadInput {
  const remedy = 'Take the model from its authors; loading this file in Python can run what it names'
  return new BadInput('MODEL_UNSAFE', place, `the pickle wants ${what}; nothing was run`, remedy)
}

export function unsupported(place: string, problem: string, remedy: string): BadInput {
  return new BadInput('MODEL_UNSUPPORTED', place, problem, remedy)
}

/** Plain ASCII of bounded length: a name out of a file must neither steer a terminal nor fill a page. */
export function shown(text: string): string {
  const cut = text.length > longestShown ? `${text.slice(0, longestShown)}...` : text
  return cut.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
