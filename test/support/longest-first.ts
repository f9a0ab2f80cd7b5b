/**
 * The order of test files: those that are known to take long come first. On a machine that has run none of them vitest goes by the size
 * of the files, and a short file with long trials begun last keeps one core busy while the other has nothing left.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const root = resolve(import.meta.dirname, '../..')

/**
 * @param names files from the root of the repository, longest first; all others keep vitest's own order
 * @throws Error where one of them is not there
 */
export function longestFirst(names: readonly string[]): typeof BaseSequencer {
  const paths = names.map((name) => resolve(root, name))
  const lost = names.filter((_, i) => !existsSync(paths[i]!))
  if (lost.length > 0) throw new Error(`no test files: ${lost.join(', ')}`)
  const place = ({ moduleId }: TestSpecification) => {
    const at = paths.indexOf(resolve(moduleId))
    return at < 0 ? paths.length : at
  }
  return class extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      return (await super.sort(files)).sort((a, b) => place(a) - place(b))
    }
  }
}
