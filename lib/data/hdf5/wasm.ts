/**
 * h5wasm over one virtual read-only file. Its ESM build has no host file system at all; on top of that only the input
 * and our own filter plugins can be opened, so that links and external storage in a crafted file find nothing.
 *
 * Traps: without the throwing error handler a failed read returns stale memory as data; an instance that has thrown once
 * is not to be used again; libhdf5 prints its diagnostics through console.error.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Module } from 'h5wasm'
import type { SyncBytes } from './blocks.ts'

export type Wasm = typeof Module

export interface WasmFile {
  module: Wasm
  file: bigint
  /** makes lzf, zstd, blosc and the like readable */
  addPlugin(name: PluginName): void
}

export type PluginName = 'lzf' | 'zstd' | 'blosc' | 'blosc2' | 'lz4' | 'bz2' | 'bshuf'

const inputPath = '/input.h5'
const pluginFolder = '/plugins'

interface FileNode {
  usedBytes: number
  stream_ops: {
    read(stream: unknown, heap: Int8Array, start: number, length: number, position: number): number
    write(): number
  }
}

interface WritableFileSystem {
  createFile(parent: string, name: string, properties: object, canRead: boolean, canWrite: boolean): FileNode
  mkdirTree(path: string): void
  writeFile(path: string, data: Uint8Array): void
  open(path: string | object, flags: unknown, mode?: unknown): unknown
}

export async function openWasmFile(bytes: SyncBytes, size: number): Promise<WasmFile> {
  silenceConsole()
  const { ready } = await import('h5wasm')
  const module = await ready
  const fileSystem = module.FS as unknown as WritableFileSystem
  mountInput(fileSystem, { bytes, size })
  fileSystem.mkdirTree(pluginFolder)
  allowOnly(
    fileSystem,
    (path) => path === inputPath || path === pluginFolder || path.startsWith(`${pluginFolder}/`),
  )
  while (module.get_plugin_search_paths().length > 0) module.remove_plugin_search_path(0)
  module.insert_plugin_search_path(pluginFolder, 0)
  module.activate_throwing_error_handler()
  const file = module.open(inputPath, module.H5F_ACC_RDONLY, false, -1, -1)
  if (file < 0n) throw new Error('the library could not open the file')
  return { module, file, addPlugin: (name) => addPlugin(fileSystem, name) }
}

function silenceConsole(): void {
  const quiet = (): void => {}
  Object.assign(console, { error: quiet, warn: quiet, log: quiet })
}

function mountInput(fileSystem: WritableFileSystem, input: { bytes: SyncBytes; size: number }): void {
  const node = fileSystem.createFile('/', inputPath.slice(1), {}, true, false)
  node.usedBytes = input.size
  node.stream_ops = {
    ...node.stream_ops,
    read(_stream, heap, start, length, position) {
      const count = Math.max(0, Math.min(length, input.size - position))
      if (count > 0)
        input.bytes.readInto(new Uint8Array(heap.buffer, heap.byteOffset + start, count), position)
      return count
    },
    write() {
      throw new Error('the input is read only')
    },
  }
}

function allowOnly(fileSystem: WritableFileSystem, allowed: (path: string) => boolean): void {
  const open = fileSystem.open.bind(fileSystem)
  fileSystem.open = (path, flags, mode) => {
    if (typeof path === 'string' && !allowed(path)) return open('/refused', 0)
    return open(path, flags, mode)
  }
}

function addPlugin(fileSystem: WritableFileSystem, name: PluginName): void {
  const library = `libH5Z${name}.so`
  fileSystem.writeFile(`${pluginFolder}/${library}`, readFileSync(pluginPath(library)))
}

/** In a bundle the plugins lie in a folder beside this code (lib/stacks/bundle-function.ts). */
function pluginPath(library: string): string | URL {
  if (!import.meta.url.endsWith('.ts')) return new URL(`./plugins/${library}`, import.meta.url)
  return createRequire(import.meta.url).resolve(`h5wasm-plugins/plugins/${library}`)
}
