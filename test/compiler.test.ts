// The entry for other tools gives what the compiler gives, with a thread that checks types and without, whether the build
// has left a script with code or not.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { compile, prepare } from '../src/compiler.js'
import { root } from '../tools/sources.js'
import { bundledProgram } from './programs.js'

const text = readFileSync(join(root, 'programs/token-bucket.ts'), 'utf8')

test('the same module and the same diagnostics, before it is prepared and after', () => {
  for (const ready of [false, true]) {
    if (ready) prepare()
    const { compiled, diagnostics } = compile('token-bucket.ts', text, { ways: [] })
    assert.deepEqual(diagnostics, [])
    assert.deepEqual(compiled!.artifact.wasm, bundledProgram('token-bucket', { ways: [] }).artifact.wasm)
    const wrong = compile('wrong.ts', text.replace('packet.ipv4', 'packet.ipv5'))
    assert.equal(wrong.compiled, undefined)
    assert.equal(wrong.diagnostics[0].severity, 'error')
  }
})

test('imported by the name of the package, it compiles, and does not keep its process alive', () => {
  const script = `
    import { compile, prepare } from 'hairpin/compiler'
    import { readFileSync } from 'node:fs'
    prepare()
    const { compiled } = compile('x.ts', readFileSync('programs/forwarder.ts', 'utf8'), { ways: [] })
    process.stdout.write(String(WebAssembly.validate(compiled.artifact.wasm)))`
  const args = ['--input-type=module', '--eval', script]
  const options = { cwd: root, encoding: 'utf8', timeout: 60_000 } as const
  assert.equal(execFileSync(process.execPath, args, options), 'true')
})
