/** The plots of `type-cells`, under SpatialCore's names: what each shows, and the picture. */

import { renderConfidence } from '../../report/confidence-png.ts'
import { renderDotplot } from '../../report/dotplot-png.ts'
import { renderHeatmap } from '../../report/heatmap-png.ts'
import { renderMarkerCheck } from '../../report/marker-check-png.ts'
import { renderOntologyTable } from '../../report/ontology-table-png.ts'
import { renderReliability } from '../../report/reliability-png.ts'
import type { Plot } from '../parts/plots.ts'
import type { TypeCellsContext } from './context.ts'
import { ontologyRows } from './tables.ts'
import type { Typed } from './typed.ts'
import type { StoredMatrix } from './validate.ts'

const prefix = 'celltyping'
/** of a z-score, where the colours end */
const ends = [-2.5, 2.5] as const

export function plots(typed: Typed, { road }: TypeCellsContext): Plot[] {
  const { settings } = road
  const { validation } = typed
  const always = [confidencePlot(typed, settings), reliabilityPlot(typed, settings), ontologyPlot(typed)]
  if (validation === null) return always
  const { deg, markerMeans, markerDots } = validation
  return [
    ...always,
    markerCheckPlot(typed, settings),
    {
      title: 'Genes that set the types apart',
      caption: `The ${settings.n_deg_genes} genes of each type with the highest Wilcoxon score against all other cells; a gene stands once, with the first type that has it. Colours: mean of the logs in each type, scaled over the types.`,
      file: `${prefix}_deg_heatmap.png`,
      draw: () =>
        renderHeatmap({
          title: 'Genes that set the types apart',
          ...matrixOf(deg.status === 'assessed' ? deg.scaled : null),
          ...(deg.status === 'assessed' ? { rowGroups: deg.chosenFor } : { absent: deg.reason }),
          range: ends,
          valueName: 'z-score of the mean',
        }),
    },
    {
      title: 'Marker genes by type, mean',
      caption:
        'Known markers of the types that were found: mean of the logs in each type, scaled over the types.',
      file: `${prefix}_marker_heatmap.png`,
      draw: () =>
        renderHeatmap({
          title: 'Marker genes by type',
          ...matrixOf(markerMeans.status === 'assessed' ? markerMeans.scaled : null),
          ...(markerMeans.status !== 'assessed' && { absent: markerMeans.reason }),
          rowName: 'cell type',
          columnName: 'marker gene',
          range: ends,
          valueName: 'z-score of the mean',
        }),
    },
    {
      title: 'Marker genes by type, share of cells',
      caption:
        'Size of a dot: share of the cells of the type that express the marker. Colour: their mean, between the type with the least and the type with the most.',
      file: `${prefix}_marker_dotplot.png`,
      draw: () =>
        renderDotplot({
          title: 'Marker genes by type',
          rows: markerDots.status === 'assessed' ? markerDots.shares.rows : [],
          columns: markerDots.status === 'assessed' ? markerDots.shares.columns : [],
          size: Float32Array.from(markerDots.status === 'assessed' ? markerDots.shares.values : []),
          colour: Float32Array.from(markerDots.status === 'assessed' ? markerDots.scaled.values : []),
          ...(markerDots.status !== 'assessed' && { absent: markerDots.reason }),
          rowName: 'cell type',
          columnName: 'marker gene',
        }),
    },
  ]
}

type Settings = TypeCellsContext['road']['settings']

function confidencePlot(typed: Typed, settings: Settings): Plot {
  const { predicted, confidence, positions, layout } = typed
  const xy = positions ?? layout
  return {
    title: 'Confidence by place and type',
    caption: `Left: cells by their confidence. Right: the types with the highest median; cells below the line (${settings.confidence_threshold}) are left unassigned.`,
    file: `${prefix}_confidence.png`,
    draw: () =>
      renderConfidence({
        xy,
        positionName: positions === null ? 'UMAP' : 'spatial',
        absent: `There are no coordinates in obsm["${settings.spatial_key}"], and no map was made.`,
        confidence: Float32Array.from(confidence),
        codes: predicted.codes,
        types: predicted.categories,
        threshold: settings.confidence_threshold,
        seed: settings.seed,
      }),
  }
}

function reliabilityPlot({ fitted }: Typed, settings: Settings): Plot {
  const { reliability, ece } = fitted.evaluation
  return {
    title: 'Is the confidence right?',
    caption:
      'Cells of the references that were held out of the training: of those with a confidence of 0.9, nine in ten should have the right type.',
    file: `${prefix}_reliability.png`,
    draw: () =>
      renderReliability({
        title: 'Confidence against share that is right, in held-out reference cells',
        bins: reliability ?? [],
        ece: ece ?? Number.NaN,
        threshold: settings.confidence_threshold,
        ...(reliability === null && { absent: fitted.evaluation.reason ?? 'not assessed' }),
      }),
  }
}

function ontologyPlot(typed: Typed): Plot {
  return {
    title: 'Labels of the references and their Cell Ontology terms',
    caption: 'How the term of each label was found. Labels without one are classes of their own.',
    file: `${prefix}_ontology_mapping.png`,
    draw: () =>
      renderOntologyTable({
        title: 'Labels of the references and their Cell Ontology terms',
        rows: ontologyRows(typed),
      }),
  }
}

function markerCheckPlot(
  { validation, predicted, confidence, verdicts, markerScores }: Typed,
  settings: Settings,
): Plot {
  const title = 'Confidence against marker genes'
  return {
    title,
    caption:
      'One panel a type. Upwards: its known markers together. The horizontal line parts the cells of the type by a mixture of three Gaussians. Gold: sure and with markers; green: sure; red: below the threshold of confidence.',
    file: `${prefix}_2d_validation.png`,
    draw: () =>
      renderMarkerCheck({
        title,
        confidenceThreshold: settings.confidence_threshold,
        seed: settings.seed,
        absent: 'No type could be checked: too few cells, or none of its markers is among the genes.',
        panels: validation!.types.flatMap((type) => {
          if (type.status !== 'assessed') return []
          const code = predicted.categories.indexOf(type.label)
          const cells = [...predicted.codes.keys()].filter(
            (cell) => predicted.codes[cell] === code && verdicts![cell]! >= 0,
          )
          return [
            {
              title: type.label,
              confidence: Float32Array.from(cells, (cell) => confidence[cell]!),
              score: Float32Array.from(cells, (cell) => markerScores![cell]!),
              kinds: Uint8Array.from(cells, (cell) => verdicts![cell]!),
              scoreThreshold: type.threshold,
            },
          ]
        }),
      }),
  }
}

function matrixOf(matrix: StoredMatrix | null) {
  if (matrix === null) return { rows: [], columns: [], values: new Float32Array() }
  return { rows: matrix.rows, columns: matrix.columns, values: Float32Array.from(matrix.values) }
}
