/**
 * The datasets of CELLxGENE that have a name here: SpatialCore's registry (0.3), by the same keys. How many cells to expect is what its
 * authors saw; a later version of a dataset may have another number, and the file decides.
 */
export interface AvailableDataset {
  key: string
  description: string
  tissue: string
  labelColumn: string
  /** about */
  expectedCells: number
  /** of CELLxGENE */
  id: string
}

const datasets: readonly AvailableDataset[] = [
  {
    key: 'healthy_human_liver',
    description: 'cells and nuclei of healthy human liver',
    tissue: 'liver',
    labelColumn: 'cell_type',
    expectedCells: 100_000,
    id: '4f88c1be-5156-463d-b64d-a3a3a8e0da6d',
  },
  {
    key: 'colon_immune_niches',
    description: 'immune cells along the human colon, and its microbes',
    tissue: 'colon',
    labelColumn: 'cell_type',
    expectedCells: 41_650,
    id: '2872f4b0-b171-46e2-abc6-befcf6de6306',
  },
  {
    key: 'colon_ulcerative_colitis',
    description: 'human colon in ulcerative colitis (Smillie and others)',
    tissue: 'colon',
    labelColumn: 'cell_type',
    expectedCells: 34_772,
    id: '4dd00779-7f73-4f50-89bb-e2d3c6b71b18',
  },
  {
    key: 'colon_crohns_immune',
    description: "immune cells of the colon in Crohn's disease",
    tissue: 'colon',
    labelColumn: 'cell_type',
    expectedCells: 152_509,
    id: '518d9049-2a76-44f8-8abc-1e2b59ab5ba1',
  },
  {
    key: 'human_lung_cell_atlas',
    description: 'the core of the Human Lung Cell Atlas (HLCA)',
    tissue: 'lung',
    labelColumn: 'ann_finest_level',
    expectedCells: 584_884,
    id: 'f72958f5-7f42-4ebb-98da-445b0c6de516',
  },
  {
    key: 'lung_covid',
    description: 'lungs of people who died of COVID-19',
    tissue: 'lung',
    labelColumn: 'cell_type',
    expectedCells: 116_313,
    id: 'd8da613f-e681-4c69-b463-e94f5e66847f',
  },
  {
    key: 'crc_htan_epithelial_discovery',
    description: 'epithelium of colorectal polyps, discovery set (HTAN VUMC)',
    tissue: 'colon',
    labelColumn: 'cell_type',
    expectedCells: 65_088,
    id: 'e40c6272-af77-4a10-9385-62a398884f27',
  },
]

/** In the order of the registry. */
export function availableDatasets(): readonly AvailableDataset[] {
  return datasets
}
