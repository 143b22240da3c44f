import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { hasCode, loadWithCode } from './code-cache.js'

const folder = mkdtempSync(join(tmpdir(), 'hairpin-code-'))
after(() => rmSync(folder, { recursive: true }))

/** A module that says where it stands, requires another, and has a function that is compiled only when it is called. */
function moduleCalled(name: string): { path: string; cache: string } {
  const path = join(folder, `${name}.cjs`)
  writeFileSync(
    path,
    `const os = require('node:os')
    exports.eol = os.EOL
    exports.file = __filename
    exports.square = n => n * n`,
  )
  return { path, cache: join(folder, name) }
}

interface Exports {
  readonly eol: string
  readonly file: string
  square(n: number): number
}

/** Loads it and tells whether code was taken, after a look at what it does. */
function load({ path, cache }: { path: string; cache: string }): boolean {
  const { exports, taken, keep } = loadWithCode(path, cache)
  const { eol, file, square } = exports as Exports
  assert.deepEqual([eol, file, square(12)], ['\n', path, 144])
  keep()
  return taken
}

test('a module finds the code that an earlier load kept', () => {
  const subject = moduleCalled('kept')
  assert.deepEqual([load(subject), load(subject), load(subject)], [false, true, true])
  assert.equal(readdirSync(subject.cache).length, 1)
})

test('code that is damaged or cut short is not shown to V8, and is replaced', () => {
  const subject = moduleCalled('damaged')
  load(subject)
  const file = join(subject.cache, readdirSync(subject.cache)[0])
  const whole = readFileSync(file)
  for (const broken of [
    whole.map((byte, k) => (k === whole.length >> 1 ? byte ^ 1 : byte)),
    whole.subarray(0, whole.length - 8),
    whole.subarray(0, 5),
    new Uint8Array(),
  ]) {
    writeFileSync(file, broken)
    assert.deepEqual([load(subject), load(subject)], [false, true])
  }
})

test('another version of the module has code of its own', () => {
  const subject = moduleCalled('changed')
  load(subject)
  writeFileSync(subject.path, `${readFileSync(subject.path, 'utf8')}\n// changed`)
  assert.equal(load(subject), false)
})

test('a folder that cannot be written is no error', () => {
  const subject = moduleCalled('unwritable')
  const cache = join(subject.path, 'inside-a-file')
  assert.deepEqual([load({ ...subject, cache }), load({ ...subject, cache })], [false, false])
})

test('code from the build is taken where none was kept, and is left as it is', () => {
  const subject = moduleCalled('built')
  load(subject)
  const [name] = readdirSync(subject.cache)
  const before = readFileSync(join(subject.cache, name))
  assert.equal(hasCode(subject.path, subject.cache), true)
  const own = join(folder, 'own')
  assert.equal(hasCode(subject.path, own), false)
  const first = loadWithCode(subject.path, own, subject.cache)
  assert.equal(first.taken, true)
  first.keep('more')
  assert.deepEqual(readdirSync(own), [name])
  const second = loadWithCode(subject.path, undefined, subject.cache)
  assert.equal(second.taken, true)
  second.keep('even more')
  assert.deepEqual(readFileSync(join(subject.cache, name)), before)
})

test('code of other V8 flags is another file', () => {
  const subject = moduleCalled('flags')
  load(subject)
  setFlagsFromString('--stack-size=900')
  assert.equal(hasCode(subject.path, subject.cache), false)
  setFlagsFromString('--stack-size=984')
  assert.equal(hasCode(subject.path, subject.cache), true)
})
