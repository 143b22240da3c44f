/**
 * The part of the engine's WebAssembly interface that hairpin uses. TypeScript declares it only together with the
 * browser's, which does not exist here. Source: WebAssembly JavaScript Interface, sections 4 and 5.
 */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array)
    static customSections(module: Module, name: string): ArrayBuffer[]
    static exports(module: Module): { name: string; kind: string }[]
    static imports(module: Module): { module: string; name: string; kind: string }[]
  }

  class Memory {
    constructor(limits: { initial: number; maximum?: number; shared?: boolean })
    readonly buffer: ArrayBuffer | SharedArrayBuffer
  }

  class Global {
    constructor(type: { value: 'i32' | 'i64'; mutable?: boolean }, value: number | bigint)
    value: number | bigint
  }

  type ImportValue = Memory | Global | ((...values: never[]) => unknown)
  type Imports = Record<string, Record<string, ImportValue>>

  class Instance {
    constructor(module: Module, imports?: Imports)
    readonly exports: Readonly<Record<string, unknown>>
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  /** Whether the bytes are a valid module. */
  function validate(bytes: Uint8Array): boolean
}
