/** Entry of `cdk`: two stacks, from what `-c name=value` and cdk.json say. The account and region are those of whoever deploys. */
import { resolve } from 'node:path'
import { App } from 'aws-cdk-lib'
import { makeStacks } from './make-stacks.ts'
import { readProps } from './props.ts'

const app = new App()
makeStacks(app, {
  ...readProps((name) => app.node.tryGetContext(name)),
  root: resolve(import.meta.dirname, '../..'),
})
app.synth()
