import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prepare } from '../ir/interpret.js'
import { ModelState } from '../ir/model.js'
import { parseFunction } from '../ir/parse.js'
import { verifyFunction } from '../ir/verify.js'
import { branchless } from './branchless.js'

/** (a, c) < (b, d) chooses; a and b are made of x and y by the given operations. */
const choice = (first: string, second: string, width = 2): string => `func main() -> i32 {
b0:
  %x = item.load.i32 width=${width} offset=0
  %y = item.load.i32 width=${width} offset=4
  %c = item.load.i32 width=2 offset=8
  %d = item.load.i32 width=2 offset=10
  %a = ${first}.i32 %x
  %b = ${second}.i32 %y
  %below = ltu.i1 %a, %b
  %same = eq.i1 %x, %y
  %rest = ltu.i1 %c, %d
  %both = and.i1 %same, %rest
  %order = or.i1 %below, %both
  %least = select.i32 %order, %c, %d
  return %least
}
`

/** Items of small words, so that equal and unequal ones are frequent, and of words with something in their upper halves. */
function* items(): Generator<Uint8Array> {
  const words = [0, 1, 0x100, 0x101, 0x10000, 0x10001, 0x1000100]
  for (const x of words)
    for (const y of words)
      for (const [c, d] of [
        [3, 7],
        [7, 3],
        [5, 5],
      ]) {
        const item = new Uint8Array(12)
        const view = new DataView(item.buffer)
        view.setUint32(0, x, true)
        view.setUint32(4, y, true)
        view.setUint16(8, c, true)
        view.setUint16(10, d, true)
        yield item
      }
}

function resultsOf(text: string, change: (func: ReturnType<typeof parseFunction>) => void): unknown[] {
  const func = parseFunction(text)
  change(func)
  assert.deepEqual(verifyFunction(func), [])
  const program = { name: 't', file: '', source: '', objects: [], settings: [], counters: [] }
  const run = prepare({ ...program, functions: [func] }, 'main', { state: new ModelState() })
  return [...items()].map(item => run({ item }))
}

for (const [first, second, width] of [
  ['bswap16', 'bswap16', 2],
  ['bswap32', 'bswap32', 4],
  ['bswap16', 'bswap16', 4],
  ['bswap16', 'bswap32', 2],
  ['bswap32', 'bswap16', 4],
] as const)
  test(`the order of pairs by ${first} and ${second} of ${width} bytes is what it was`, () => {
    const text = choice(first, second, width)
    assert.deepEqual(
      resultsOf(text, branchless),
      resultsOf(text, () => {}),
    )
  })

test('pairs of swapped 16-bit fields are compared as one number', () => {
  const func = parseFunction(choice('bswap16', 'bswap16'))
  const count = (): number => func.blocks[0].instrs.filter(i => i.op === 'shl').length
  assert.equal(count(), 0)
  branchless(func)
  assert.equal(count(), 2)
})
