/** What the HDF5 library itself (h5wasm, in memory) sees in a file: the judge of what our own parser and writer do. */
import { readFileSync } from 'node:fs'
import { Dataset, File, Group, ready } from 'h5wasm'

let opened = 0

export interface LibraryFile {
  dataset(path: string): Dataset
  group(path: string): Group
  /** everything below the root, in order; links that lead nowhere, too */
  paths(): string[]
  [Symbol.dispose](): void
}

export async function openInLibrary(path: string): Promise<LibraryFile> {
  const library = await ready
  library.activate_throwing_error_handler()
  const name = `file-${opened++}.h5`
  library.FS.writeFile(name, readFileSync(path))
  const file = new File(name, 'r')
  return {
    dataset(at) {
      const found = file.get(at)
      if (!(found instanceof Dataset)) throw new Error(`${at} is no dataset`)
      return found
    },
    group(at) {
      const found = file.get(at)
      if (!(found instanceof Group)) throw new Error(`${at} is no group`)
      return found
    },
    paths: () => file.paths().sort(),
    [Symbol.dispose]() {
      file.close()
      library.FS.unlink(name)
    },
  }
}
