// The public entry of the package: what `import … from 'hairpin'` means for programs and for tools.

export * from './lang/prelude.js'

/** Version of this package; the same string as package.json's. */
export const version = '0.1.0'
