import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../tools/sources.js'
import { modules, sources } from './source.js'

const mostLines = 800
/** The median module is shorter than this. */
const medianLimit = 150

test(`no file is longer than ${mostLines} lines, unless its header says that it is a table`, () => {
  const long = sources.filter(
    ({ lines, header }) => lines > mostLines && !/^(\/\/|\/\*\*?)\s+Table: /.test(header),
  )
  assert.deepEqual(
    long.map(({ path, lines }) => `${path}: ${lines}`),
    [],
  )
})

test(`the median file is shorter than ${medianLimit} lines`, t => {
  const median = (of: readonly { readonly lines: number }[]): number =>
    of.map(({ lines }) => lines).toSorted((a, b) => a - b)[of.length >> 1]
  const all = median(sources)
  const own = median(modules)
  t.diagnostic(
    `median of ${sources.length} files: ${all} lines; of ${modules.length} without tests: ${own}; ` +
      `longest: ${Math.max(...sources.map(({ lines }) => lines))}`,
  )
  assert.ok(own < medianLimit, `the median module has ${own} lines`)
  assert.ok(all < medianLimit, `the median file has ${all} lines`)
})

test('every module begins with a comment that says what it is', () => {
  const bare = sources.filter(({ path, header }) => header === '' && !path.endsWith('.test.ts'))
  assert.deepEqual(
    bare.map(({ path }) => path),
    [],
  )
})

test('every command has a folder with its README, which is its --help', t => {
  const cli = join(root, 'src/cli')
  if (!existsSync(cli)) return t.skip('there is no src/cli yet')
  const folders = readdirSync(cli, { withFileTypes: true }).filter(entry => entry.isDirectory())
  assert.deepEqual(
    folders.filter(({ name }) => !existsSync(join(cli, name, 'README.md'))).map(({ name }) => name),
    [],
  )
})
