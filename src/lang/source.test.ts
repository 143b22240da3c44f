// The front end as a whole: programs of this repository compile to IR that the verifier accepts.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { renderDiagnostics } from '../diagnostics/render.js'
import { verifyProgram } from '../ir/verify.js'
import { compileSource } from './source.js'

const programs = fileURLToPath(new URL('../../../programs/', import.meta.url))

for (const file of readdirSync(programs).filter(f => f.endsWith('.ts')))
  test(`programs/${file} compiles to verified IR`, () => {
    const text = readFileSync(join(programs, file), 'utf8')
    const { program, diagnostics } = compileSource(file, text)
    assert.equal(renderDiagnostics(diagnostics, text), '')
    assert.ok(program)
    assert.deepEqual(verifyProgram(program), [])
  })
