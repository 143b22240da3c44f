// The ambient library a program is checked against: what TypeScript itself demands, and what programs may use.
//
// Programs see no standard library. An array literal has a length and elements, and nothing else; numbers, strings
// and booleans have no methods. So `Math.max` or `array.map` is an error of TypeScript's, at the place where it
// stands, and checking does not pay for parsing the real library.

/** Declarations in place of lib.d.ts. */
export const ambient = `
interface Array<T> { readonly length: number; readonly [n: number]: T; [Symbol.iterator](): Iterator<T> }
interface ReadonlyArray<T> { readonly length: number; readonly [n: number]: T; [Symbol.iterator](): Iterator<T> }
interface Boolean {}
interface Number {}
interface BigInt {}
interface String {}
interface Symbol {}
interface Object {}
interface Function {}
interface CallableFunction extends Function {}
interface NewableFunction extends Function {}
interface IArguments {}
interface RegExp {}
interface ImportMeta {}
interface Promise<T> {}
interface Generator<T, R, N> extends Iterator<T> { [Symbol.iterator](): Generator<T, R, N> }
interface Iterable<T> { [Symbol.iterator](): Iterator<T> }
interface Iterator<T> { next(): { readonly done: boolean; readonly value: T } }
interface IterableIterator<T> extends Iterator<T> { [Symbol.iterator](): IterableIterator<T> }
interface SymbolConstructor { readonly iterator: unique symbol }
declare var Symbol: SymbolConstructor
interface TemplateStringsArray extends ReadonlyArray<string> {}
type Partial<T> = { [P in keyof T]?: T[P] }
type Readonly<T> = { readonly [P in keyof T]: T[P] }
type Record<K extends keyof any, T> = { [P in K]: T }
type Pick<T, K extends keyof T> = { [P in K]: T[P] }
type Exclude<T, U> = T extends U ? never : T
type Extract<T, U> = T extends U ? T : never
type Omit<T, K extends keyof any> = Pick<T, Exclude<keyof T, K>>
type NonNullable<T> = T & {}
type ReturnType<T extends (...args: never[]) => unknown> = T extends (...args: never[]) => infer R ? R : never
`
