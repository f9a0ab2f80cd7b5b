/**
 * Products of dense float64 matrices by onnxruntime on the CPU: some ten times what a loop in JavaScript does, and on all cores.
 * Matrices are row by row. A product works on the JavaScript thread: keep it to some 10^10 multiplications and let others run in between.
 */
import { writeModel } from './onnx-write.ts'
import { openSession, type Session } from './session.ts'

export interface Matrix {
  rows: number
  columns: number
  values: Float64Array
}

export interface MatrixProducts {
  /** left right */
  product(left: Matrix, right: Matrix): Promise<Matrix>
  /** left^T right */
  transposedProduct(left: Matrix, right: Matrix): Promise<Matrix>
  close(): Promise<void>
}

export async function openMatrixProducts({ threads }: { threads?: number } = {}): Promise<MatrixProducts> {
  const options = { notices: [], ...(threads === undefined ? {} : { threads }) }
  const plain = await openSession(productModel(false), options)
  const transposed = await openSession(productModel(true), options)
  return {
    product: (left, right) => run(plain, left, right),
    transposedProduct: (left, right) => run(transposed, left, right),
    async close() {
      await plain.close()
      await transposed.close()
    },
  }
}

function productModel(isTransposed: boolean): Uint8Array {
  const left = isTransposed ? ['inner', 'rows'] : ['rows', 'inner']
  return writeModel({
    name: 'product',
    inputs: [
      { name: 'left', type: 'float64', shape: left },
      { name: 'right', type: 'float64', shape: ['inner', 'columns'] },
    ],
    outputs: [{ name: 'product', type: 'float64', shape: ['rows', 'columns'] }],
    nodes: [
      {
        op: 'Gemm',
        inputs: ['left', 'right'],
        outputs: ['product'],
        attributes: { transA: { int: Number(isTransposed) } },
      },
    ],
  })
}

async function run(session: Session, left: Matrix, right: Matrix): Promise<Matrix> {
  const { product } = await session.run({ left: tensorOf(left), right: tensorOf(right) })
  const [rows, columns] = product!.shape
  return { rows: rows!, columns: columns!, values: product!.data as Float64Array }
}

function tensorOf({ rows, columns, values }: Matrix) {
  return { type: 'float64', shape: [rows, columns], data: values } as const
}
