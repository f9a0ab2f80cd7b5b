/** How right the labels of real cells are, with and without a type that the references lack: ours, the peer's, and the original's as recorded. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { transformConfidence } from '../../lib/labels/confidence-transforms.ts'
import { goldenTable } from '../../test/support/real-models.ts'
import {
  auroc,
  bloodQuery,
  coarseTypes,
  kangControl,
  macroF1,
  panelGenes,
  recordedFigures,
  sortedCells,
  type TypedCells,
  typedCells,
  typingFigures,
  writeCut,
} from '../../test/support/real-typing.ts'

const names = ['default', 'no_B', 'no_NK', 'no_Mono'] as const
const titles = { default: 'all types', no_B: 'no B', no_NK: 'no NK', no_Mono: 'no monocytes' }
const prefix = 'typed'

export interface RealRun {
  name: (typeof names)[number]
  job: Record<string, unknown>
}

/** One job with both references as they are, and three with references cut without a type. */
export async function realRuns(folder: string): Promise<RealRun[]> {
  const runs: RealRun[] = []
  for (const name of names) {
    const references = []
    for (const [file, from] of [
      ['sorted', sortedCells],
      ['kang', kangControl],
    ] as const) {
      const to = join(folder, `${name}-${file}.h5ad`)
      const without = /^no_(.+)$/.exec(name)?.[1]
      if (without !== undefined && !existsSync(to)) await writeCut(to, { from, without })
      references.push(without === undefined ? from : to)
    }
    const [label_columns, target_genes] = [['cell_type', 'cell_type'], panelGenes()]
    const job = { query: bloodQuery, references, label_columns, target_genes, annotation_prefix: prefix }
    runs.push({ name, job: { ...job, tissue: 'blood' } })
  }
  return runs
}

/** @param typed files with labels, by run */
export async function qualityTables(
  typed: ReadonlyMap<string, { ours: string; sgd: string; lr: string }>,
): Promise<string[]> {
  const coarse = await coarseTypes()
  const read = (path: string) => typedCells(path, { coarse, prefix, truth: 'coarse' })
  const calls: string[] = []
  const transforms: string[] = []
  for (const name of names) {
    const files = typed.get(name)!
    const ours = await read(files.ours)
    calls.push(
      figuresRow(name, { whose: 'Celldrop (logistic regression, calibrated)', typed: ours }),
      recordedRow(name),
      figuresRow(name, { whose: 'peer, SGD (z-score)', typed: await read(files.sgd) }),
      figuresRow(name, { whose: 'peer, lbfgs (z-score)', typed: await read(files.lr) }),
    )
    transforms.push(transformsRow(name, ours))
  }
  return [
    'Compared coarsely (B, monocyte, NK, CD4, CD8), by the references’ own coarse column. Right against wrong: AUROC of the confidence.',
    '',
    '| references | | accuracy | macro-F1 | wrong calls | of these keep their label at 0.8 | cells that keep one | right of these | right against wrong |',
    '|---|---|---|---|---|---|---|---|---|',
    ...calls,
    '',
    'Each confidence of the same scores (ours): AUROC of right against wrong, and the share of wrong calls at or above 0.8. The first is calibrated and takes what is unlike the reference into account.',
    '',
    '| references | calibrated | z-score | softmax | min-max | raw |',
    '|---|---|---|---|---|---|',
    ...transforms,
  ]
}

function figuresRow(name: RealRun['name'], { whose, typed }: { whose: string; typed: TypedCells }): string {
  return row(name, whose, typingFigures(typed))
}

type Figures = Omit<ReturnType<typeof typingFigures>, 'queryEce' | 'aurocRaw' | 'cells'>

function recordedRow(name: RealRun['name']): string {
  const recorded = recordedFigures(name)
  const table = goldenTable(`spatialcore/${name}.obs.csv.gz`)
  const [truth, called] = [table.get('truth_coarse')!, table.get('predicted_coarse')!]
  const known = [...truth.keys()].filter((cell) => truth[cell] !== 'unknown' && truth[cell] !== '')
  const passing = recorded.pass_0_8_share * recorded.n_query
  return row(name, 'SpatialCore 0.3, recorded (z-score)', {
    accuracy: recorded.accuracy_coarse,
    macroF1: macroF1(
      known.map((cell) => truth[cell]!),
      known.map((cell) => called[cell]!),
    ),
    wrong: recorded.n_wrong,
    wrongPassing: recorded.wrong_passing,
    passShare: recorded.pass_0_8_share,
    accuracyOfPassing: 1 - recorded.wrong_passing / passing,
    aurocConfidence: recorded.auroc_confidence,
  })
}

function row(name: RealRun['name'], whose: string, figures: Figures): string {
  const {
    accuracy,
    macroF1: f1,
    wrong,
    wrongPassing,
    passShare,
    accuracyOfPassing,
    aurocConfidence,
  } = figures
  const share = ((100 * wrongPassing) / wrong).toFixed(0)
  return `| ${titles[name]} | ${whose} | ${accuracy.toFixed(3)} | ${f1.toFixed(3)} | ${wrong} | ${wrongPassing} (${share} %) | ${(100 * passShare).toFixed(0)} % | ${(100 * accuracyOfPassing).toFixed(1)} % | ${aurocConfidence.toFixed(3)} |`
}

function transformsRow(name: RealRun['name'], typed: TypedCells): string {
  const { scores, classes: labels } = typed
  const kinds = [
    typed.confidence,
    ...(['zscore', 'softmax', 'minmax'] as const).map((method) =>
      Array.from(transformConfidence(scores, { labels, method })),
    ),
    typed.confidenceRaw,
  ]
  const cells = [...typed.truth.keys()].filter((cell) => typed.truth[cell] !== undefined)
  const right = cells.map((cell) => typed.called[cell] === typed.truth[cell])
  const wrong = right.filter((isRight) => !isRight).length
  const shown = kinds.map((kind) => {
    const values = cells.map((cell) => kind[cell]!)
    const passing = values.filter((value, at) => value >= 0.8 && !right[at]).length
    return `${auroc(values, right).toFixed(3)}, ${((100 * passing) / wrong).toFixed(0)} %`
  })
  return `| ${titles[name]} | ${shown.join(' | ')} |`
}
