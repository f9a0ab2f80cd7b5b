/**
 * The two stacks of an installation. cdk.json makes references between them strong (exports): CloudFormation refuses to remove the
 * storage while machines are set up around it.
 */
import type { App } from 'aws-cdk-lib'
import { CelldropStack } from './celldrop-stack.ts'
import type { CelldropProps } from './props.ts'
import { StorageStack } from './storage-stack.ts'

export interface Stacks {
  storage: StorageStack
  celldrop: CelldropStack
}

/** @param props `root` is the repository: functions, containers and the state machine are read from it */
export function makeStacks(app: App, props: CelldropProps & { root: string }): Stacks {
  const { root, ...chosen } = props
  const storage = new StorageStack(app, `${chosen.stackName}Storage`, chosen)
  return { storage, celldrop: new CelldropStack(app, chosen.stackName, { ...chosen, root, storage }) }
}
