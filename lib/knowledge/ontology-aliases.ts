/**
 * Names that people give to cells and the ontology does not: our own list, made from the synonyms of the ontology and the usage of
 * published data sets. A line is a set of words, in any order. It matches a label only when every word of the label is accounted for
 * by the line or by the words that may stand beside it ("cell" always may), so no label matches by a part of itself.
 */

export interface Alias {
  id: string
  /** sets of words, apart by commas */
  lines: string
  /** words that may stand beside and add nothing */
  beside?: string
  /** only in data of these tissues / in data of any other or no known tissue */
  onlyIn?: Tissue
  notIn?: readonly Tissue[]
}

export type Tissue = 'pancreas' | 'liver' | 'breast' | 'salivary gland' | 'kidney' | 'retina' | 'brain'

const t = 'cd3 cd3d cd3e alpha beta alphabeta ab tcr conventional lymphocyte'
const b = 'cd19 cd20 ms4a1 cd79a lymphocyte'
const myeloid = 'cd68 cd163 lyz cd11b itgam'
const epithelial = 'epithelial epithelium'

const tCells: readonly Alias[] = [
  { id: 'CL:0000084', lines: 't, cd3', beside: 'cd3 cd3d cd3e lymphocyte' },
  { id: 'CL:0000624', lines: 'cd4 t, cd4t, tconv, cd4 tconv, t4', beside: t },
  { id: 'CL:0000625', lines: 'cd8 t, cd8t, cd8a t, t8', beside: `${t} cd8b` },
  { id: 'CL:0000898', lines: 'naive t', beside: 'cd3 cd45ra ccr7 lymphocyte' },
  {
    id: 'CL:0000895',
    lines: 'naive cd4 t, naive cd4, naive cd4t',
    beside: `${t} cd45ra ccr7 cd25neg thymus derived`,
  },
  {
    id: 'CL:0000900',
    lines: 'naive cd8 t, naive cd8, naive cd8t, naive cytotoxic',
    beside: `${t} cd8 cd45ra ccr7 cytotoxic`,
  },
  { id: 'CL:0000813', lines: 'memory t, tmem', beside: 'cd3 cd45ro lymphocyte' },
  { id: 'CL:0000897', lines: 'memory cd4 t, memory cd4, cd4 tmem', beside: `${t} cd45ro` },
  { id: 'CL:0000909', lines: 'memory cd8 t, memory cd8, cd8 tmem', beside: `${t} cd45ro` },
  {
    id: 'CL:0000904',
    lines: 'central memory cd4 t, central memory cd4, cd4 tcm, cd4 t cm, cd4 cm',
    beside: t,
  },
  {
    id: 'CL:0000907',
    lines: 'central memory cd8 t, central memory cd8, cd8 tcm, cd8 t cm, cd8 cm',
    beside: t,
  },
  {
    id: 'CL:0000905',
    lines: 'effector memory cd4 t, effector memory cd4, cd4 tem, cd4 t em, cd4 em',
    beside: t,
  },
  {
    id: 'CL:0000913',
    lines: 'effector memory cd8 t, effector memory cd8, cd8 tem, cd8 t em, cd8 em',
    beside: t,
  },
  { id: 'CL:0001062', lines: 'cd8 temra, cd8 t emra, cd8 emra', beside: t },
  { id: 'CL:0001087', lines: 'cd4 temra, cd4 t emra, cd4 emra', beside: t },
  { id: 'CL:0000911', lines: 'effector t, teff', beside: 'cd3 lymphocyte' },
  { id: 'CL:0001044', lines: 'effector cd4 t, effector cd4, cd4 teff', beside: t },
  { id: 'CL:0001050', lines: 'effector cd8 t, effector cd8, cd8 teff', beside: t },
  { id: 'CL:0000910', lines: 'cytotoxic t, ctl, killer t', beside: 'cd3 lymphocyte' },
  { id: 'CL:0000794', lines: 'cytotoxic cd8 t, cytotoxic cd8, cd8 ctl', beside: t },
  { id: 'CL:0000934', lines: 'cytotoxic cd4 t, cytotoxic cd4, cd4 ctl', beside: t },
  { id: 'CL:0000912', lines: 't helper, th', beside: 'cd3 lymphocyte' },
  { id: 'CL:0000492', lines: 'helper cd4 t, helper cd4, cd4 th', beside: 'cd3 lymphocyte' },
  { id: 'CL:0000545', lines: 'th1, th 1, t helper 1', beside: 'cd4 t type' },
  { id: 'CL:0000546', lines: 'th2, th 2, t helper 2', beside: 'cd4 t type' },
  { id: 'CL:0000899', lines: 'th17, th 17, t helper 17', beside: 'cd4 t type' },
  { id: 'CL:0001042', lines: 'th22, th 22, t helper 22', beside: 'cd4 t type' },
  { id: 'CL:0002038', lines: 'tfh, follicular helper t, follicular helper', beside: 'cd4 t' },
  {
    id: 'CL:0000815',
    lines: 'treg, t reg, regulatory t',
    beside: 'cd3 cd4 cd25 foxp3 cd127neg il2ra t lymphocyte',
  },
  {
    id: 'CL:0000798',
    lines: 'gdt, tgd, gd t, gamma delta t, gammadelta t, gamma delta',
    beside: 'cd3 tcr lymphocyte',
  },
  { id: 'CL:0000789', lines: 'alpha beta t, alphabeta t, ab t', beside: 'cd3 tcr lymphocyte' },
  { id: 'CL:0000940', lines: 'mait, mucosal associated invariant t', beside: 't cd8 cd3' },
  { id: 'CL:0000814', lines: 'nkt, natural killer t', beside: 'cd3 lymphocyte' },
  { id: 'CL:0000921', lines: 'inkt, invariant nkt, invariant natural killer t', beside: 't cd3' },
  { id: 'CL:0011025', lines: 'exhausted t, tex', beside: 'cd3 t pd1 pdcd1' },
  { id: 'CL:0020030', lines: 'exhausted cd4 t, exhausted cd4, cd4 tex', beside: t },
  { id: 'CL:0020031', lines: 'exhausted cd8 t, exhausted cd8, cd8 tex', beside: t },
  { id: 'CL:4033069', lines: 'cycling t, proliferating t, dividing t, mki67 t', beside: 'cd3' },
  { id: 'CL:0000893', lines: 'thymocyte' },
]

const otherLymphoid: readonly Alias[] = [
  { id: 'CL:0000236', lines: 'b, cd19 b, cd20 b', beside: b },
  { id: 'CL:0000788', lines: 'naive b', beside: `${b} igd` },
  { id: 'CL:0000787', lines: 'memory b, bmem, b mem', beside: `${b} cd27` },
  { id: 'CL:0000844', lines: 'gc b, germinal center b, germinal center', beside: b },
  { id: 'CL:0000818', lines: 'transitional b', beside: b },
  { id: 'CL:0000843', lines: 'follicular b, fo b', beside: b },
  { id: 'CL:0000980', lines: 'plasmablast', beside: 'b' },
  { id: 'CL:0000786', lines: 'plasma, plasmacyte, cd138', beside: 'cd138 sdc1 b' },
  { id: 'CL:0000987', lines: 'iga plasma' },
  { id: 'CL:0000985', lines: 'igg plasma' },
  { id: 'CL:0000986', lines: 'igm plasma' },
  { id: 'CL:0000623', lines: 'nk, natural killer, cd56 nk, nkg7 nk', beside: 'cd56 ncam1' },
  { id: 'CL:0000938', lines: 'cd56 bright nk, cd56bright nk, bright nk', beside: 'cd16neg' },
  { id: 'CL:0000939', lines: 'cd56 dim nk, cd56dim nk, dim nk, cd16 nk', beside: 'cd16 cd56' },
  { id: 'CL:0001065', lines: 'ilc' },
  { id: 'CL:0001067', lines: 'ilc 1, type 1 innate lymphoid' },
  { id: 'CL:0001069', lines: 'ilc2, ilc 2, type 2 innate lymphoid' },
  { id: 'CL:0001071', lines: 'ilc3, ilc 3, type 3 innate lymphoid' },
  { id: 'CL:0000542', lines: 'lymphoid, lympho, lymphocytic' },
]

const myeloidCells: readonly Alias[] = [
  { id: 'CL:0000113', lines: 'mnp, mononuclear phagocytic' },
  { id: 'CL:0000738', lines: 'immune, leuko, cd45, ptprc' },
  { id: 'CL:0000576', lines: 'mono, monocyte, monocytic', beside: 'lyz' },
  { id: 'CL:0001054', lines: 'cd14 mono, cd14 monocyte', beside: 'lyz' },
  {
    id: 'CL:0002396',
    lines: 'cd16 mono, fcgr3a mono, fcgr3a monocyte, cd14low cd16 monocyte, cd14 low cd16 mono',
  },
  { id: 'CL:0002397', lines: 'cd14 cd16 mono, cd14 cd16 monocyte' },
  { id: 'CL:0002057', lines: 'cd14 cd16neg mono, cd14 cd16neg monocyte' },
  { id: 'CL:0000860', lines: 'classical mono, classical monocyte, cmono', beside: 'cd14' },
  {
    id: 'CL:0000875',
    lines: 'non classical mono, nonclassical mono, non classical monocyte, nonclassical monocyte, ncmono',
    beside: 'cd16 fcgr3a',
  },
  { id: 'CL:0002393', lines: 'intermediate mono, intermediate monocyte', beside: 'cd14 cd16' },
  { id: 'CL:0000235', lines: 'macro, mac, mph, mphi, macrophage', beside: myeloid },
  { id: 'CL:0000863', lines: 'm1, m1 mac, m1 macro, m1 macrophage', beside: 'like' },
  { id: 'CL:0000890', lines: 'm2, m2 mac, m2 macro, m2 macrophage', beside: 'like' },
  {
    id: 'CL:0000583',
    lines: 'alveolar mac, alveolar mph, alveolar macro, alveolar mphi',
    beside: myeloid,
  },
  { id: 'CL:0000091', lines: 'kupffer', beside: 'macrophage mac' },
  { id: 'CL:0000864', lines: 'tissue resident mac, resident mac, resident macrophage, trm mac' },
  { id: 'CL:0000451', lines: 'dc, dendritic' },
  { id: 'CL:0000784', lines: 'pdc, plasmacytoid dc, plasmacytoid dendritic, p dc', beside: 'dc' },
  { id: 'CL:0000990', lines: 'cdc, conventional dc, classical dc, classical dendritic' },
  { id: 'CL:0000782', lines: 'mdc, myeloid dc' },
  {
    id: 'CL:0002394',
    lines:
      'cdc1, cdc 1, cdc type 1, conventional dc type 1, conventional dendritic type 1, classical dendritic type 1, conventional dc 1, conventional dendritic 1',
    beside: 'clec9a xcr1 cd141 dc',
  },
  {
    id: 'CL:0002399',
    lines:
      'cdc2, cdc 2, dc2, cdc type 2, conventional dc type 2, conventional dendritic type 2, classical dendritic type 2, conventional dc 2, conventional dendritic 2, cd1c dc',
    beside: 'cd1c dc',
  },
  { id: 'CL:4047054', lines: 'migratory dc, migdc, mig dc, ccr7 dc', beside: 'ccr7' },
  { id: 'CL:0000453', lines: 'langerhans', beside: 'dc' },
  { id: 'CL:0000775', lines: 'neutro, neut, neutrophilic' },
  { id: 'CL:0000767', lines: 'baso' },
  { id: 'CL:0000771', lines: 'eos, eosino' },
  { id: 'CL:0000097', lines: 'mast, mastocyte, kit mast' },
]

const stromal: readonly Alias[] = [
  { id: 'CL:0000057', lines: 'fibro, fib, fb, fibroblastic', beside: 'col1a1 pdgfra dcn' },
  {
    id: 'CL:0000057',
    lines: 'caf, mycaf, icaf, apcaf, cancer associated fibroblast, cancer associated fibro',
    beside: 'fibroblast',
  },
  { id: 'CL:0000186', lines: 'myofib, myofibro, myofibroblast', beside: 'fibroblast acta2' },
  { id: 'CL:0000192', lines: 'smc, smooth muscle', beside: 'acta2' },
  { id: 'CL:0000359', lines: 'vsmc, vascular smc, vascular smooth muscle', beside: 'acta2' },
  { id: 'CL:0000669', lines: 'peri, pericytic', beside: 'rgs5' },
  { id: 'CL:0000134', lines: 'msc, mesenchymal stromal' },
  { id: 'CL:0000499', lines: 'stroma, stromal' },
  { id: 'CL:0008019', lines: 'mesenchymal, mesenchyme' },
  { id: 'CL:0000136', lines: 'adipo' },
  {
    id: 'CL:0000115',
    lines: 'ec, endo, endothelium, endothelial, pecam1',
    beside: 'pecam1 cd31 vwf',
  },
  {
    id: 'CL:0002138',
    lines: 'lec, lymphatic ec, lymphatic endothelial, lymphatic endothelium, lymph ec, lymphatic',
    beside: 'lyve1 endothelial ec',
  },
  {
    id: 'CL:1000413',
    lines: 'arterial ec, artery ec, arterial endothelial, artery endothelial, aec',
    beside: 'vascular',
  },
  {
    id: 'CL:0002543',
    lines: 'venous ec, vein ec, venous endothelial, vein endothelial, vec',
    beside: 'vascular',
  },
  {
    id: 'CL:0002144',
    lines: 'capillary ec, capillary, cap ec, capillary endothelial',
    beside: 'vascular',
  },
  { id: 'CL:0002139', lines: 'vascular ec, vascular endothelial, blood ec, bec' },
  { id: 'CL:0000704', lines: 'tip ec, tip endothelial, ec tip' },
  { id: 'CL:0002671', lines: 'stalk ec, stalk endothelial, stalk' },
  {
    id: 'CL:1000398',
    lines: 'lsec, liver sinusoidal ec, sinusoidal endothelial',
    beside: 'liver hepatic',
  },
]

const epithelia: readonly Alias[] = [
  { id: 'CL:0000066', lines: 'epi, epithelium, epithelial, epcam', beside: 'epcam' },
  { id: 'CL:0000076', lines: 'squamous, squamous epithelial', beside: epithelial },
  { id: 'CL:0000075', lines: 'columnar, columnar epithelial', beside: epithelial },
  { id: 'CL:0000164', lines: 'eec, enteroendocrine' },
  { id: 'CL:0000584', lines: 'entero' },
  { id: 'CL:0000160', lines: 'goblet', beside: 'muc2' },
  { id: 'CL:0002204', lines: 'tuft, brush, tuft brush' },
  { id: 'CL:0009010', lines: 'ta, transit amplifying, transit amplifying progenitor' },
  {
    id: 'CL:0002250',
    lines: 'isc, lgr5 stem, crypt stem, crypt base stem, intestinal stem',
    beside: 'lgr5',
  },
  { id: 'CL:0000158', lines: 'club, clara', beside: 'scgb1a1 airway' },
  {
    id: 'CL:0002062',
    lines:
      'at1, ati, at 1, at i, alveolar type 1, alveolar type i, type 1 pneumocyte, type i pneumocyte, type 1 alveolar, type i alveolar, aec1, aeci, aec 1',
    beside: 'epithelial pulmonary lung pneumocyte alveolar',
  },
  {
    id: 'CL:0002063',
    lines:
      'at2, atii, at 2, at ii, alveolar type 2, alveolar type ii, type 2 pneumocyte, type ii pneumocyte, type 2 alveolar, type ii alveolar, aec2, aecii, aec 2',
    beside: 'epithelial pulmonary lung pneumocyte alveolar',
  },
  { id: 'CL:1000223', lines: 'pnec, pulmonary neuroendocrine' },
  { id: 'CL:0005006', lines: 'iono' },
  { id: 'CL:0000182', lines: 'hep, hepato, hepatic parenchymal' },
  { id: 'CL:1000488', lines: 'cholangio, bile duct epithelial, biliary epithelial' },
  { id: 'CL:0000632', lines: 'hepatic stellate, ito, liver stellate' },
  { id: 'CL:0000632', lines: 'stellate', onlyIn: 'liver' },
  { id: 'CL:0000312', lines: 'keratino, kera' },
  { id: 'CL:0000148', lines: 'melano' },
  { id: 'CL:1001431', lines: 'collecting duct principal, principal collecting duct' },
]

const pancreas: readonly Alias[] = [
  {
    id: 'CL:0000171',
    lines: 'alpha, gcg alpha',
    beside: 'pancreatic pancreas islet endocrine',
    notIn: ['retina', 'brain'],
  },
  { id: 'CL:0000169', lines: 'beta, ins beta', beside: 'pancreatic pancreas islet endocrine' },
  { id: 'CL:0000173', lines: 'delta, sst delta', beside: 'pancreatic pancreas islet endocrine' },
  {
    id: 'CL:0002275',
    lines: 'pp, gamma pp, pancreatic polypeptide, islet pp',
    beside: 'pancreatic pancreas islet endocrine',
  },
  { id: 'CL:0002275', lines: 'gamma', beside: 'pancreatic pancreas islet endocrine', onlyIn: 'pancreas' },
  { id: 'CL:0005019', lines: 'epsilon', beside: 'pancreatic pancreas islet endocrine' },
  {
    id: 'CL:0002064',
    lines: 'acinar, acini',
    beside: 'pancreatic pancreas',
    notIn: ['salivary gland', 'breast'],
  },
  {
    id: 'CL:0002079',
    lines: 'ductal, duct',
    beside: 'pancreatic pancreas',
    notIn: ['salivary gland', 'breast', 'kidney', 'liver'],
  },
  { id: 'CL:0002410', lines: 'pancreatic stellate, psc, pancreas stellate' },
  { id: 'CL:0002410', lines: 'stellate', onlyIn: 'pancreas' },
]

const brain: readonly Alias[] = [
  { id: 'CL:0000127', lines: 'astro, astrocytic' },
  { id: 'CL:0000128', lines: 'oligo, oligodendro, oligodendroglia, odc' },
  { id: 'CL:0002453', lines: 'opc, oligodendrocyte progenitor', beside: 'oligodendrocyte' },
  { id: 'CL:0000129', lines: 'microglia, microglial' },
  { id: 'CL:0002573', lines: 'schwann', beside: 'glia' },
  { id: 'CL:0000125', lines: 'glia, glial, neuroglia' },
  { id: 'CL:0000540', lines: 'neuron, neuronal' },
  {
    id: 'CL:0000679',
    lines: 'excitatory, excitatory neuron, exc neuron, ex neuron, glut neuron',
    beside: 'glutamatergic',
  },
  {
    id: 'CL:0000617',
    lines: 'inhibitory, inhibitory neuron, inh neuron, in neuron, gaba neuron',
    beside: 'gabaergic',
  },
  { id: 'CL:0000065', lines: 'ependymal, ependyma' },
]

const blood: readonly Alias[] = [
  { id: 'CL:0000037', lines: 'hsc, hematopoietic stem, blood stem', notIn: ['liver'] },
  {
    id: 'CL:0008001',
    lines:
      'hspc, cd34, cd34 progenitor, hematopoietic stem progenitor, hematopoietic progenitor, hematopoietic stem and progenitor',
    beside: 'cd34',
  },
  { id: 'CL:0000049', lines: 'cmp' },
  {
    id: 'CL:0000557',
    lines: 'gmp, granulocyte monocyte progenitor, granulocyte macrophage progenitor',
  },
  {
    id: 'CL:0000050',
    lines: 'mep, megakaryocyte erythroid progenitor, megakaryocyte erythrocyte progenitor',
  },
  { id: 'CL:0000051', lines: 'clp' },
  { id: 'CL:0000837', lines: 'mpp, multipotent progenitor' },
  { id: 'CL:0000936', lines: 'lmpp' },
  { id: 'CL:0000556', lines: 'mk, mega, megakaryo, megakaryocytic, megakaryocyte' },
  { id: 'CL:0000233', lines: 'plt, thrombocyte, platelet', beside: 'ppbp' },
  { id: 'CL:0000232', lines: 'rbc, red blood, erythro', beside: 'hbb' },
  { id: 'CL:0000764', lines: 'erythroid, ery' },
  {
    id: 'CL:0001064',
    lines: 'malignant, tumor, cancer, luad, lusc, nsclc, brca, hcc, crc, carcinoma',
    beside: 'epithelial tumor malignant cancer',
  },
]

export const aliases: readonly Alias[] = [
  ...tCells,
  ...otherLymphoid,
  ...myeloidCells,
  ...stromal,
  ...epithelia,
  ...pancreas,
  ...brain,
  ...blood,
]
