/** What the HDF5 library itself (h5wasm, in memory) sees in a file: the judge of what our own parser and writer do. */
import { readFileSync } from 'node:fs'
import { type Dataset, File, type Group, ready } from 'h5wasm'

let opened = 0

export interface LibraryFile {
  file: File
  dataset(path: string): Dataset
  group(path: string): Group
  /** paths of everything but links that lead nowhere, in order */
  paths(): string[]
  [Symbol.dispose](): void
}

export async function openInLibrary(path: string): Promise<LibraryFile> {
  const library = await ready
  library.activate_throwing_error_handler()
  const name = `file-${opened++}.h5`
  library.FS.writeFile(name, readFileSync(path))
  const file = new File(name, 'r')
  const get = <Kind extends 'Group' | 'Dataset'>(at: string, kind: Kind) => {
    const found = at === '/' ? file : file.get(at)
    if (found?.type !== kind) throw new Error(`${at} is not a ${kind}`)
    return found
  }
  return {
    file,
    dataset: (at) => get(at, 'Dataset') as Dataset,
    group: (at) => get(at, 'Group') as Group,
    paths: () => file.paths().sort(),
    [Symbol.dispose]() {
      file.close()
      library.FS.unlink(name)
    },
  }
}
