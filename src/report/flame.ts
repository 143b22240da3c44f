/** A flame graph as SVG without scripts: width is time, a frame stands on its caller, the name is in its tooltip too. */

import { escape } from './svg.js'

interface Frame {
  readonly name: string
  count: number
  readonly children: Map<string, Frame>
}

const width = 1200
const rowHeight = 17
/** Frames narrower than this are left out. */
const least = 0.6
const characterWidth = 6.6

/** @param stacks `root;caller;callee` and how often it was seen. */
export function flameGraph(stacks: ReadonlyMap<string, number>, title: string): string {
  const root: Frame = { name: 'all', count: 0, children: new Map() }
  for (const [stack, count] of stacks) {
    root.count += count
    let at = root
    for (const name of stack.split(';')) {
      let next = at.children.get(name)
      if (next === undefined) at.children.set(name, (next = { name, count: 0, children: new Map() }))
      next.count += count
      at = next
    }
  }
  const perSample = width / Math.max(1, root.count)
  const boxes: string[] = []
  let deepest = 0
  const draw = (frame: Frame, x: number, depth: number): void => {
    const wide = frame.count * perSample
    if (wide < least) return
    deepest = Math.max(deepest, depth)
    boxes.push(box(frame, x, depth, wide, root.count))
    let at = x
    for (const child of [...frame.children.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      draw(child, at, depth + 1)
      at += child.count * perSample
    }
  }
  draw(root, 0, 0)
  const height = (deepest + 1) * rowHeight + 34
  // Rows are drawn from the bottom up, so the root ends at the bottom edge.
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="monospace" font-size="11">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="8" y="18" font-family="Helvetica, Arial, sans-serif" font-size="14">${escape(title)}</text>`,
    `<g transform="translate(0 ${height - rowHeight})">`,
    ...boxes,
    '</g></svg>',
    '',
  ].join('\n')
}

function box({ name, count }: Frame, x: number, depth: number, wide: number, all: number): string {
  const room = Math.floor((wide - 6) / characterWidth)
  const text = room < 3 ? '' : name.length > room ? `${name.slice(0, room - 1)}…` : name
  const share = ((100 * count) / all).toFixed(1)
  const y = -depth * rowHeight
  return (
    `<g><title>${escape(name)}: ${count} samples, ${share} %</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0.5, wide - 0.5).toFixed(1)}" height="${rowHeight - 1}" fill="${colourOf(name)}"/>` +
    (text === '' ? '' : `<text x="${(x + 3).toFixed(1)}" y="${y + 12}">${escape(text)}</text>`) +
    '</g>'
  )
}

/** Compiled packet code stands out; the same name has the same colour everywhere. */
function colourOf(name: string): string {
  let h = 0
  for (const c of name) h = (Math.imul(h, 31) + c.charCodeAt(0)) | 0
  const wasm =
    /wasm|^(?:JS:)?(?:single|replicated|valued|encapsulate|extract|steer|listed|mixed|classify|tally|recovered|shared:)/i.test(
      name,
    )
  return wasm ? `hsl(${200 + (Math.abs(h) % 20)} 60% 72%)` : `hsl(${30 + (Math.abs(h) % 25)} 75% 76%)`
}
