import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { buildOf, openBundle } from '../src/bundle.js'
import type { Bundle } from '../src/bundle.js'
import { bundle } from '../tools/bundle.js'
import { root } from '../tools/sources.js'
import { bundledProgram } from './programs.js'

// Inside the checkout, so that packages are found from there.
const built = join(root, 'dist', `.bundle-test-${process.pid}`)
const url = pathToFileURL(`${built}/`)
const code = join(built, 'code')
mkdirSync(built)
after(() => rmSync(built, { recursive: true }))
symlinkSync(join(root, 'dist/src'), join(built, 'src'))
writeFileSync(join(built, '.tsbuildinfo'), '{}')
writeFileSync(join(built, 'bundle.cjs'), bundle(join(root, 'src'), buildOf(url)))

const codeFiles = (): string[] => readdirSync(code)

function compileWith(opened: Bundle | undefined, name: string): Uint8Array {
  const { compile } = opened!.load('compile.js') as typeof import('../src/compile.js')
  const file = join(root, `programs/${name}.ts`)
  const { compiled, diagnostics } = compile(file, readFileSync(file, 'utf8'), { ways: [] })
  assert.deepEqual(diagnostics, [])
  return compiled!.artifact.wasm
}

test('the script compiles as the modules do, without code and with it', () => {
  for (const name of ['port-knocking', 'source-nat']) {
    const opened = openBundle(code, url)
    assert.deepEqual(compileWith(opened, name), bundledProgram(name, { ways: [] }).artifact.wasm)
    opened!.keep(name)
    assert.equal(codeFiles().length, 1)
  }
})

test('it has the commands; only theirs is work to remember', () => {
  const commands = openBundle(code, url)!.load('cli/dispatch.js') as typeof import('../src/cli/dispatch.js')
  assert.deepEqual(commands.workOf(['run', 'x.ts']), ['run'])
  assert.deepEqual(commands.workOf(['toString']), [])
  assert.deepEqual(commands.workOf([]), [])
})

test('each kind of work is kept once, what has no name never', () => {
  const opened = openBundle(code, url)!
  const path = join(code, codeFiles()[0])
  const before = readFileSync(path)
  opened.keep('source-nat')
  opened.keep(undefined)
  assert.deepEqual(readFileSync(path), before)
  opened.keep('another', 2)
  const once = readFileSync(path)
  assert.notDeepEqual(once, before)
  openBundle(code, url)!.keep('another', 2)
  const twice = readFileSync(path)
  assert.notDeepEqual(twice, once)
  openBundle(code, url)!.keep('another', 2)
  assert.deepEqual(readFileSync(path), twice)
})

test('where the build left code, it is taken without a folder to keep any, and not written to', () => {
  const own = join(built, 'code')
  const before = codeFiles().map(name => readFileSync(join(own, name)))
  const opened = openBundle(undefined, url)
  assert.deepEqual(
    compileWith(opened, 'port-knocking'),
    bundledProgram('port-knocking', { ways: [] }).artifact.wasm,
  )
  opened!.keep('yet another')
  assert.deepEqual(
    codeFiles().map(name => readFileSync(join(own, name))),
    before,
  )
  rmSync(own, { recursive: true })
})

test('a script of another build, none, and no folder for code all mean the modules', () => {
  assert.equal(openBundle(undefined, url), undefined)
  writeFileSync(join(built, '.tsbuildinfo'), '{ }')
  assert.equal(openBundle(code, url), undefined)
  assert.equal(openBundle(code, new URL('elsewhere/', url)), undefined)
})
