import assert from 'node:assert/strict'
import { test } from 'node:test'
import { flameGraph } from './flame.js'

test('a frame is as wide as its samples, stands on its caller, and compiled packet loops are blue', () => {
  const stacks = new Map([
    ['node;run <a>;JS:replicated-8-turbofan', 75],
    ['node;run <a>', 20],
    ['node;compile', 5],
  ])
  const svg = flameGraph(stacks, 'one & two')
  const boxes = [
    ...svg.matchAll(
      /<title>(.*?): (\d+) samples, ([\d.]+) %<\/title><rect x="([\d.]+)" y="(-?\d+)" width="([\d.]+)" height="\d+" fill="hsl\((\d+)/g,
    ),
  ]
  const found = new Map(
    boxes.map(([, name, n, share, x, y, width, hue]) => [name, [n, share, x, y, width, hue].map(Number)]),
  )
  assert.deepEqual([...found.keys()], ['all', 'node', 'compile', 'run &lt;a&gt;', 'JS:replicated-8-turbofan'])
  const [n, share, x, y, width, hue] = found.get('JS:replicated-8-turbofan')!
  assert.deepEqual([n, share, x], [75, 75, 60])
  assert.equal(width, 899.5)
  assert.ok(y < found.get('run &lt;a&gt;')![3])
  assert.ok(hue >= 200 && found.get('compile')![5] < 60)
  assert.match(svg, /one &amp; two/)
})
