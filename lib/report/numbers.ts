/** Numbers, times and dates as a reader wants them: thousands apart, three figures of a measurement, seconds as a person says them. */
import { wholeNumber } from './assets/numbers.js'

export { measurement, percentage, wholeNumber } from './assets/numbers.js'

/** A number and what it counts: '1 cell', '1,200 cells'. */
export function counted(count: number, noun: string): string {
  return `${wholeNumber(count)} ${noun}${count === 1 ? '' : 's'}`
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–'
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  const whole = Math.round(seconds)
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes} min ${whole % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const months = 'January February March April May June July August September October November December'.split(
  ' ',
)

/** An ISO time in UTC as a date and a time of day; what is no time is given back as it is. */
export function dateAndTime(iso: string): string {
  // a Date also makes sense of much that is no time
  const time = new Date(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(iso) ? iso : Number.NaN)
  if (Number.isNaN(time.getTime())) return iso
  const [hours, minutes] = [time.getUTCHours(), time.getUTCMinutes()].map((part) =>
    String(part).padStart(2, '0'),
  )
  return `${time.getUTCDate()} ${months[time.getUTCMonth()]} ${time.getUTCFullYear()}, ${hours}:${minutes} UTC`
}
