// Loaded programs tell the kernel their types and lines: of maps, functions and the TypeScript source.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readBtf, sizeOfType } from '../../src/backend/ebpf/btf-read.js'
import type { BtfType } from '../../src/backend/ebpf/btf-read.js'
import { compile } from '../../src/compile.js'
import { load } from '../../src/engine/kernel/load.js'
import type { LoadedProgram } from '../../src/engine/kernel/load.js'
import { btfBytes, mapInfo, openBtf, programInfo } from '../../src/sys/info.js'
import type { BpfMap } from '../../src/sys/map.js'
import { testRun } from '../../src/sys/test-run.js'
import { requiresTool, runTool } from '../tools.js'
import { withoutPrograms } from './machine.js'

const skip = withoutPrograms
const bpftool = skip || requiresTool('bpftool', 'Debian package bpftool')

function withProgram(name: string, body: (loaded: LoadedProgram) => void): void {
  const file = `programs/${name}.ts`
  const { compiled } = compile(file, readFileSync(file, 'utf8'))
  assert.ok(compiled)
  const loaded = load(compiled, { settings: new Map(), seed: 1n })
  try {
    body(loaded)
  } finally {
    loaded.close()
  }
}

function typesOf(map: BpfMap): { types: readonly BtfType[]; key: number; value: number } {
  const { btfId, btfKeyType, btfValueType } = mapInfo(map)
  const object = openBtf(btfId)
  assert.ok(object, `${map.name} has types`)
  const read = readBtf(btfBytes(object))
  object.close()
  assert.ok(read.ok)
  return { types: read.btf.types, key: btfKeyType, value: btfValueType }
}

/** A TCP segment to a port, from 10.0.0.1. */
function knock(port: number): Uint8Array {
  const frame = Buffer.alloc(60)
  frame.writeUInt16BE(0x0800, 12)
  frame.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2], 14)
  frame.writeUInt16BE(4000, 34)
  frame.writeUInt16BE(port, 36)
  frame[46] = 0x50
  return Uint8Array.from(frame)
}

for (const name of ['port-knocking', 'source-nat', 'prefix-forwarder'])
  test(`${name}: every map has the type of its value`, { skip }, () => {
    withProgram(name, ({ maps, program }) => {
      assert.notEqual(programInfo(program).btfId, 0)
      for (const [key, map] of maps) {
        if (key === 'hairpin') continue
        const { types, value } = typesOf(map)
        const type = types[value]
        assert.ok(type.kind === 'struct', key)
        assert.equal(type.name, key.startsWith('.') ? `hairpin_${key.slice(1)}` : key)
        assert.equal(sizeOfType(types, value), map.valueSize, key)
      }
    })
  })

test('bpftool shows the source beside the instructions', { skip: bpftool }, () => {
  withProgram('port-knocking', ({ program }) => {
    const text = runTool('bpftool', 'prog', 'dump', 'xlated', 'id', String(programInfo(program).id))
    assert.match(text, /^int portKnocking\(struct xdp_md \* ?ctx\):$/m)
    assert.match(text, /^; const state = next\(before, tcp\.destinationPort\)$/m)
    assert.match(text, /^int knocks_insert\(.*\n; const knocks = table\(\{ key: ipv4/m)
  })
})

test('bpftool prints entries, settings and verdicts by name', { skip: bpftool }, () => {
  withProgram('port-knocking', ({ maps, program }) => {
    testRun(program, { data: knock(7001) })
    const dump = (name: string): Record<string, never> => {
      const { id } = mapInfo(maps.get(name)!)
      const [element] = JSON.parse(runTool('bpftool', '-j', 'map', 'dump', 'id', String(id))) as [
        { formatted: { value: Record<string, never> } },
      ]
      return element.formatted.value
    }
    const { count, capacity, buckets } = dump('knocks') as unknown as {
      count: number
      capacity: number
      buckets: { tag: number; key: number; value: number }[][]
    }
    const entries = buckets.flat().filter(({ tag }) => tag !== 0)
    assert.deepEqual([count, capacity, entries.length], [1, 65536, 1])
    // A key is in the network's order: 10.0.0.1.
    assert.deepEqual([entries[0].key, entries[0].value], [0x0100000a, 1])
    assert.deepEqual(dump('.settings'), { first: 7001, second: 7002, third: 7003 })
    const { cpus } = dump('.verdicts') as unknown as { cpus: { drop: number }[] }
    assert.equal(
      cpus.reduce((sum, c) => sum + c.drop, 0),
      1,
    )
  })
})
