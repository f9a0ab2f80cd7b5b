/** The Batch steps of every workflow. A step loads what it needs: a process that scores needs no canvas, one that draws no models. */
import type { SettingsOf, WorkflowName } from '../job/manifest.ts'
import type { Workflow } from './workflow.ts'

/**
 * `annotate`: CELLxGENE Annotate's promise (labels, uncertainty, a place in the space of the reference, a map) with linear models as
 * CellTypist trains them, or with a scVI or SCANVI, which may learn the batches of the query first.
 */
const annotate: Workflow<SettingsOf<'annotate'>> = {
  Prepare: async () => (await import('./annotate/prepare.ts')).prepare,
  Fit: async () => (await import('./annotate/fit.ts')).fit,
  Embed: async () => (await import('./annotate/embed.ts')).embed,
  Label: async () => (await import('./annotate/label.ts')).label,
  Publish: async () => (await import('./annotate/publish.ts')).publish,
}

/** `type-cells`: SpatialCore's pipeline. Cells of references are learnt from, a model of just these genes is trained, the query is typed. */
const typeCells: Workflow<SettingsOf<'type-cells'>> = {
  Prepare: async () => (await import('./type-cells/prepare.ts')).prepare,
  Fit: async () => (await import('./type-cells/fit.ts')).fit,
  Embed: async () => (await import('./type-cells/embed.ts')).embed,
  Label: async () => (await import('./type-cells/label.ts')).label,
  Publish: async () => (await import('./type-cells/publish.ts')).publish,
}

/**
 * `map-atlas`: scPDAC's two entry points. Cells are placed in the latent space of a SCANVI and labelled, with the model as it is or after
 * scArches surgery on the batches of the query.
 */
const mapAtlas: Workflow<SettingsOf<'map-atlas'>> = {
  Prepare: async () => (await import('./map-atlas/prepare.ts')).prepare,
  Fit: async () => (await import('./map-atlas/fit.ts')).fit,
  Embed: async () => (await import('./map-atlas/embed.ts')).embed,
  Label: async () => (await import('./map-atlas/label.ts')).label,
  Publish: async () => (await import('./map-atlas/publish.ts')).publish,
}

/** `fit-reference`: what map-atlas maps onto. A scVI of an atlas, a SCANVI from it where there are labels, and how good they are. */
const fitReference: Workflow<SettingsOf<'fit-reference'>> = {
  Prepare: async () => (await import('./fit-reference/prepare.ts')).prepare,
  Fit: async () => (await import('./fit-reference/fit.ts')).fit,
  Embed: async () => (await import('./fit-reference/embed.ts')).embed,
  Label: async () => (await import('./fit-reference/label.ts')).label,
  Publish: async () => (await import('./fit-reference/publish.ts')).publish,
}

/** `acquire`: SpatialCore's first phase. Labelled cells are fetched from where they are published, to be learnt from. Nothing is computed. */
const acquire: Workflow<SettingsOf<'acquire'>> = {
  Prepare: async () => (await import('./acquire/prepare.ts')).prepare,
  Fit: notOnItsRoad,
  Embed: notOnItsRoad,
  Label: notOnItsRoad,
  Publish: async () => (await import('./acquire/publish.ts')).publish,
}

async function notOnItsRoad(): Promise<never> {
  throw new Error('acquire goes from Prepare to Publish')
}

export const workflows: { [Name in WorkflowName]: Workflow<SettingsOf<Name>> } = {
  annotate,
  'type-cells': typeCells,
  'fit-reference': fitReference,
  'map-atlas': mapAtlas,
  acquire,
}
