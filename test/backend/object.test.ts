// Object files: what is in them follows from the program alone, and is what our own loader would load.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readBtfExt } from '../../src/backend/ebpf/btf-ext.js'
import { readBtf, sizeOfType } from '../../src/backend/ebpf/btf-read.js'
import type { BtfType } from '../../src/backend/ebpf/btf-read.js'
import { encode } from '../../src/backend/ebpf/encode.js'
import { compile } from '../../src/compile.js'
import { bytecodeOf } from '../../src/engine/kernel/load.js'
import { objectCpus, objectOf } from '../../src/engine/kernel/object.js'
import { root } from '../../tools/sources.js'
import { parsed, placed, section } from '../kernel/object-loader.js'
import { bundledProgram, programNames } from '../programs.js'

const options = { settings: new Map() }

test('the same program gives the same bytes, in any folder', () => {
  const text = readFileSync(join(root, 'programs/connection-tracker.ts'), 'utf8')
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-object-'))
  try {
    const copy = join(folder, 'connection-tracker.ts')
    writeFileSync(copy, text)
    const built = ['programs/connection-tracker.ts', copy, copy].map(file => {
      const { compiled } = compile(file, text)
      assert.ok(compiled)
      return Buffer.from(objectOf(compiled, options))
    })
    assert.deepEqual(built[0], built[1])
    assert.deepEqual(built[1], built[2])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

for (const name of programNames)
  test(`${name}: code, addresses and types of the object are the compiler's`, () => {
    const program = bundledProgram(name)
    const rulesBytes = program.rules?.length ?? 0
    const object = parsed(objectOf(program, { ...options, ...(program.rules && { rules: program.rules }) }))
    const { functions, maps } = bytecodeOf(program, rulesBytes, { cpus: objectCpus })

    // With the addresses put back, the code is what our own loader gives the kernel.
    const expected = encode(functions.flatMap(f => f.code))
    const { code, text } = placed(object)
    const view = new DataView(code.buffer)
    const found: { slot: number; map: string }[] = []
    const names = new Map(maps.map(m => [m.name.replace(/^\./, 'hairpin_'), m.name]))
    for (const [from, start] of [
      ['xdp', 0],
      ['.text', text],
    ] as const)
      for (const { offset, kind, symbol } of section(object, from).relocations ?? []) {
        if (kind !== 'immediate64') continue
        const at = start + offset
        view.setUint8(at + 1, view.getUint8(at + 1) | 0x20)
        view.setInt32(at + 12, view.getInt32(at + 4, true), true)
        view.setInt32(at + 4, 0, true)
        found.push({ slot: at / 8, map: names.get(symbol)! })
      }
    assert.deepEqual(Buffer.from(code), Buffer.from(expected.bytes))
    assert.deepEqual(found, expected.maps)

    const types = readBtf(section(object, '.BTF').contents)
    assert.ok(types.ok)
    for (const symbol of object.symbols) {
      const wanted = symbol.kind === 'function' ? 'function' : 'variable'
      const id = types.btf.types.findIndex(t => t.kind === wanted && t.name === symbol.name)
      assert.ok(id > 0, `${symbol.name} has a type`)
      if (wanted === 'variable') assert.equal(sizeOfType(types.btf.types, id), symbol.size, symbol.name)
    }
    for (const { name: own, contents } of object.sections) {
      const type: BtfType | undefined = types.btf.types.find(t => t.kind === 'section' && t.name === own)
      if (type?.kind !== 'section') continue
      assert.equal(type.size, typeof contents === 'number' ? contents : contents.length, own)
    }
    const ext = readBtfExt(section(object, '.BTF.ext').contents)
    assert.ok(ext.ok)
    const records = ext.sections.map(s => [types.btf.string(s.name), s.functions.length])
    const called = functions.length - 1
    assert.deepEqual(
      records,
      called > 0
        ? [
            ['xdp', 1],
            ['.text', called],
          ]
        : [['xdp', 1]],
    )
    // Every function begins with a line.
    for (const s of ext.sections)
      for (const [offset] of s.functions) assert.ok(s.lines.some(([at]) => at === offset))
  })

test('settings, rules and the licence are in the file', () => {
  const program = bundledProgram('port-knocking')
  const object = parsed(objectOf(program, { settings: new Map([['second', 9000n]]) }))
  const values = new BigUint64Array(Uint8Array.from(section(object, '.data.settings').contents).buffer)
  assert.deepEqual([...values], [7001n, 9000n, 7003n])
  assert.equal(Buffer.from(section(object, 'license').contents).toString('latin1').at(-1), '\0')
  const rules = bundledProgram('prefix-forwarder')
  const filled = parsed(objectOf(rules, { ...options, rules: rules.rules! }))
  assert.deepEqual(Buffer.from(section(filled, '.data.rules').contents), Buffer.from(rules.rules!))
})
