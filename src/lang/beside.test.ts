import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { after, test } from 'node:test'
import { compile } from '../compile.js'
import { catalogue, exampleSource } from '../diagnostics/catalogue.js'
import type { Diagnostic } from '../diagnostics/diagnostic.js'
import { bundledProgram, programNames } from '../../test/programs.js'
import { root } from '../../tools/sources.js'
import { askChecker, awaitChecker, startChecker, stopChecker } from './beside.js'
import { compileSource } from './source.js'

after(stopChecker)

/** Programs that break a rule each, the type errors that TypeScript itself finds among them. */
const examples: readonly string[] = [
  ...Object.values(catalogue).map(exampleSource),
  `import { type Packet, Verdict } from 'hairpin'
   export default function f(packet: Packet): Verdict { const n: number = 'x'; return n }`,
  `import { type Packet, Verdict } from 'hairpin'
   export default function f(packet: Packet) { return packet.ipv4 ? Verdict.Drop : Verdict.Pass }`,
  `import { type Packet, Verdict } from 'hairpin'
   const half = (x: number) => x / 2
   export default function f(packet: Packet): Verdict { if (packet.ipv4) return Verdict.Drop }`,
  `export default function f(packet: Nothing): Verdict {`,
]

const compiled = (): (readonly Diagnostic[])[] => examples.map(text => compile('t.ts', text).diagnostics)

/** With one processor no thread is started (beside.ts), so there is nothing to compare. */
const skip = availableParallelism() < 2 && 'one processor: types are not checked beside'

test(
  'a thread beside finds what this one finds, and the modules are the same',
  { timeout: 60_000, skip },
  () => {
    const alone = compiled()
    const modules = programNames.map(name => bundledProgram(name, { ways: [] }).artifact.wasm)
    startChecker(undefined)
    awaitChecker()
    assert.deepEqual(compiled(), alone)
    programNames.forEach((name, k) => {
      const file = `${root}/programs/${name}.ts`
      const { compiled: again } = compile(file, readFileSync(file, 'utf8'), { ways: [] })
      assert.deepEqual(again?.artifact.wasm, modules[k], name)
    })
    assert.equal(stopChecker(), true)
    assert.equal(stopChecker(), false)
  },
)

test(
  'an answer that nobody took is passed over, one that comes after the end is not waited for',
  { skip },
  () => {
    startChecker(undefined)
    const [wrong, right] = [examples.at(-4)!, examples.at(-3)!]
    const first = askChecker('a.ts', wrong)
    const second = askChecker('b.ts', right)
    assert.deepEqual(second?.(), [])
    assert.equal(first?.(), undefined)
    const third = askChecker('c.ts', wrong)
    stopChecker()
    assert.equal(third?.(), undefined)
    assert.equal(askChecker('d.ts', wrong), undefined)
    assert.ok(compileSource('e.ts', wrong).diagnostics.length > 0)
  },
)
