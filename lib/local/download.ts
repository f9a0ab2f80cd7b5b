/**
 * A small file from the web: bounded, asked for as the stores ask, and told of without what may be secret in its address. A page that
 * asks to sign in is no model: what comes is looked at by who asked for it, and nothing of it is kept unless it is read to its end.
 */
import { BadInput, StoreUnavailable } from '../job/errors.ts'
import { parseWebAddress, shownLocation, webUrl } from '../job/web-address.ts'
import { refusePacked } from '../job/web-answer.ts'
import { letGo, openWeb, readSmall } from '../job/web-request.ts'

/** @throws BadInput LOCATION_UNSUPPORTED, URL_REFUSED, DOWNLOAD_TOO_LARGE; StoreUnavailable DOWNLOAD_FAILED; StoreFailure as openWeb */
export async function download(
  address: string,
  { mostBytes, signal }: { mostBytes: number; signal: AbortSignal },
): Promise<Uint8Array> {
  const place = shownLocation(address)
  const { origin, path, access } = parseWebAddress(address)
  const web = openWeb({ isLocal: true, tries: 2 })
  try {
    const answer = await web.ask(webUrl(origin, path, access), { place, bytes: mostBytes, signal })
    if (answer.status !== 200) {
      letGo(answer)
      const remedy = 'Check the address in a browser, or download the file by hand and give it'
      throw new BadInput('URL_REFUSED', place, `the server answered ${answer.status}`, remedy)
    }
    refusePacked(answer, place)
    const bytes = await readSmall(answer, { place, mostBytes })
    if (bytes !== undefined) return bytes
    const remedy = 'Check that it is a model'
    throw new BadInput('DOWNLOAD_TOO_LARGE', place, `more than ${mostBytes} bytes came`, remedy)
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof StoreUnavailable)) throw error
    const remedy = 'Try again, or download it by hand and give the file'
    throw new StoreUnavailable('DOWNLOAD_FAILED', place, error.problem, remedy, { cause: error })
  }
}
