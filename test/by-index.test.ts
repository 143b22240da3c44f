import assert from 'node:assert/strict'
import { test } from 'node:test'
import ts from 'typescript'
import { byIndex } from '../tools/by-index.js'

/** What a source says after the change, and what the function `run` in it gives before and after. */
function changed(text: string): { text: string; before: unknown; after: unknown } {
  const name = '/source.ts'
  const options: ts.CompilerOptions = { target: ts.ScriptTarget.ES2023, strict: true, types: [] }
  const host = ts.createCompilerHost(options)
  const { getSourceFile } = host
  host.getSourceFile = (path, ...more) =>
    path === name ? ts.createSourceFile(path, text, ts.ScriptTarget.ES2023) : getSourceFile(path, ...more)
  const program = ts.createProgram([name], options, host)
  const emitted = (before: ts.TransformerFactory<ts.SourceFile>[]): string => {
    let result = ''
    program.emit(program.getSourceFile(name), (_, written) => void (result = written), undefined, false, {
      before,
    })
    return result
  }
  const plain = emitted([])
  const indexed = emitted([byIndex(program.getTypeChecker())])
  // oxlint-disable-next-line no-implied-eval
  const run = (script: string): unknown => new Function(`${script}; return run()`)()
  return { text: indexed, before: run(plain), after: run(indexed) }
}

const cases: Readonly<Record<string, { text: string; gone: RegExp | undefined }>> = {
  'a loop over an array, which grows meanwhile, with continue and break': {
    text: `function run() {
      const list = [1, 2, 3], seen: number[] = []
      outer: for (const x of list) {
        if (x === 2) { list.push(7, 8, 9); continue }
        for (const y of [x]) if (y === 8) break outer; else seen.push(y)
      }
      return seen
    }`,
    gone: / of /,
  },
  'a loop over entries, with functions that keep what they saw': {
    text: `function run() {
      const kept: (() => string)[] = []
      for (const [k, { name }] of [{ name: 'a' }, { name: 'b' }].entries()) kept.push(() => k + name)
      return kept.map(f => f())
    }`,
    gone: / of |entries/,
  },
  'patterns of lists and tuples, with holes and defaults': {
    text: `function run() {
      const list: number[] = [1, 2]
      const [a, , c = 5] = list
      const add = ([x, y]: readonly [number, number]): number => x + y
      const { inner: [first] } = { inner: list }
      return [a, c, add([3, 4]), first]
    }`,
    gone: /\[a, , c|\(\[x|\[first\] \}/,
  },
  'assignments to several places': {
    text: `function run() {
      let a = 1, b = 2
      const o = { c: 3 };
      [a, b] = [b, a];
      [o.c, , b] = [b, a, o.c]
      return [a, b, o]
    }`,
    gone: /\[a, b\] =|\[o\.c, , b\] =/,
  },
  'maps, sets, strings, iterators and rests as they are': {
    text: `function run() {
      const seen: unknown[] = []
      const set = new Set([1])
      for (const x of set) if (x < 4) set.add(x + 1)
      for (const [k, v] of new Map([['a', 1]])) seen.push(k, v)
      for (const c of 'é😀') seen.push(c)
      for (const x of [4, 5].values()) seen.push(x)
      const [head, ...rest] = [...set]
      const [one] = set
      return [seen, head, rest, one]
    }`,
    gone: undefined,
  },
}

for (const [name, { text, gone }] of Object.entries(cases))
  test(name, () => {
    const result = changed(text)
    assert.deepEqual(result.after, result.before)
    if (gone) assert.doesNotMatch(result.text, gone)
    else
      for (const kept of [' of set', " of 'é😀'", '.values()', '...rest', '[one]'])
        assert.ok(result.text.includes(kept), kept)
  })
