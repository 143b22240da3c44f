import assert from 'node:assert/strict'
import { test } from 'node:test'
import { folderOf, modules } from './source.js'
import type { Source } from './source.js'

/** Imports of ours that a rule forbids, each as `importer -> imported`. */
function breaches(forbidden: (from: string, to: string, source: Source) => boolean): string[] {
  return modules.flatMap(source =>
    source.imports
      .filter(to => forbidden(folderOf(source.path) ?? '', folderOf(to) ?? '', source))
      .map(to => `${source.path} -> ${to}`),
  )
}

/** What a folder may import besides itself. */
const closed: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  diagnostics: [],
  ir: ['diagnostics'],
}

for (const [folder, allowed] of Object.entries(closed))
  test(`src/${folder} imports ${allowed.length ? `only src/${allowed.join(', src/')}` : 'nothing of ours'}`, () => {
    assert.deepEqual(
      breaches((from, to) => from === folder && to !== folder && !allowed.includes(to)),
      [],
    )
  })

test('a backend imports neither the language nor the system', () => {
  assert.deepEqual(
    breaches((from, to) => from === 'backend' && (to === 'lang' || to === 'sys')),
    [],
  )
})

/** The stages of the compiler by the folders they live in, first to last. */
const stages: readonly (readonly string[])[] = [['lang'], ['analysis', 'transform'], ['backend']]
/** The front end of the whole, which calls what it likes. */
const outside = new Set(['cli', 'index.ts'])

test('only src/compile.ts sees all stages of the compiler', () => {
  const seeing = modules
    .filter(({ path }) => path.startsWith('src/') && !outside.has(folderOf(path)!))
    .filter(({ imports }) =>
      stages.every(folders => imports.some(to => folders.includes(folderOf(to) ?? ''))),
    )
    .map(({ path }) => path)
  assert.deepEqual(
    seeing.filter(path => path !== 'src/compile.ts'),
    [],
  )
})

test('no stage of the compiler imports a later one, nor the compiler itself', () => {
  const stageOf = (folder: string): number => stages.findIndex(folders => folders.includes(folder))
  assert.deepEqual(
    breaches(
      (from, to) =>
        stageOf(from) >= 0 && (to === 'compile.ts' || (stageOf(to) > stageOf(from) && stageOf(to) >= 0)),
    ),
    [],
  )
})

test('only src/sys touches the foreign-function interface', () => {
  const touching = modules.filter(
    ({ path, packages }) => packages.some(name => /^koffi(\/|$)/.test(name)) && folderOf(path) !== 'sys',
  )
  assert.deepEqual(
    touching.map(({ path }) => path),
    [],
  )
})

test('nothing imports src/cli', () => {
  assert.deepEqual(
    breaches((from, to) => to === 'cli' && from !== 'cli'),
    [],
  )
})

test('no module imports a test', () => {
  assert.deepEqual(
    breaches((_, __, { path }) => path.startsWith('src/')).filter(line =>
      / -> (test\/|.*\.test\.ts$)/.test(line),
    ),
    [],
  )
})
