/**
 * Where a command spends its time, as folded stacks: `root;caller;callee` and how often it was seen there.
 *
 * Two ways: Linux perf, which sees the kernel too and names compiled code by V8's map, and V8's own profiler, which
 * needs nothing. Both run the command again under them.
 */

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Profiler = 'perf' | 'v8'

export interface Stacks {
  readonly profiler: Profiler
  /** Samples by stack, root first, frames separated by `;`. */
  readonly counts: ReadonlyMap<string, number>
  readonly samples: number
  /** The command's exit status. */
  readonly status: number | null
  readonly stderr: string
}

const hertz = 997

/** Whether perf can record here; tried, because a kernel may forbid it. */
export function hasPerf(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-perf-'))
  try {
    const args = ['record', '-q', '-e', 'cpu-clock', '-o', join(folder, 'data'), '--', 'true']
    return spawnSync('perf', args, { stdio: 'ignore' }).status === 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs `node ARGS…` under a profiler. */
export function profileNode(args: readonly string[], profiler: Profiler): Stacks {
  const folder = mkdtempSync(join(tmpdir(), 'hairpin-profile-'))
  try {
    return profiler === 'perf' ? underPerf(args, folder) : underV8(args, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function underPerf(args: readonly string[], folder: string): Stacks {
  const data = join(folder, 'data')
  const options = ['record', '-q', '-e', 'cpu-clock', '-F', String(hertz), '-g', '-o', data]
  const node = [process.execPath, `--perf-basic-prof`, '--interpreted-frames-native-stack', ...args]
  const run = spawnSync('perf', [...options, '--', ...node], { encoding: 'utf8' })
  const script = spawnSync('perf', ['script', '-i', data, '-F', 'comm,pid,tid,ip,sym'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
  })
  for (const pid of new Set([...(script.stdout ?? '').matchAll(/^\S.*?\s(\d+)\/\d+/gm)].map(m => m[1])))
    rmSync(`/tmp/perf-${pid}.map`, { force: true })
  return { profiler: 'perf', ...foldPerf(script.stdout ?? ''), status: run.status, stderr: run.stderr }
}

/** Folds what `perf script` prints: a line for the sample, a line for each frame from the innermost, an empty line. */
export function foldPerf(text: string): { counts: Map<string, number>; samples: number } {
  const counts = new Map<string, number>()
  let samples = 0
  for (const block of text.split('\n\n')) {
    const [head, ...lines] = block.split('\n').filter(line => line.trim() !== '')
    if (head === undefined) continue
    const thread = head.trim().replace(/\s+\d+\/\d+.*$/, '')
    const frames = lines.map(line => frameName(line.trim().replace(/^[\da-f]+\s+/, ''))).toReversed()
    const stack = [thread, ...frames].join(';')
    counts.set(stack, (counts.get(stack) ?? 0) + 1)
    samples++
  }
  return { counts, samples }
}

/** `JS:~name file:///…/engine/run.js:12:3` becomes `name (engine/run.js:12)`. */
function frameName(symbol: string): string {
  const js = /^(?:\w+:)?[~*^+]?(\S*) (?:file:\/\/)?\S*?([^/\s]+\/[^/\s]+?):(\d+)(?::\d+)?$/.exec(symbol)
  const name = js ? `${js[1] || '(anonymous)'} (${js[2]}:${js[3]})` : symbol
  return name.replaceAll(';', ',')
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly hitCount?: number
  readonly children?: readonly number[]
}

function underV8(args: readonly string[], folder: string): Stacks {
  const options = ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval=500']
  const run = spawnSync(process.execPath, [...options, ...args], { encoding: 'utf8' })
  const counts = new Map<string, number>()
  let samples = 0
  for (const file of readdirSync(folder).filter(name => name.endsWith('.cpuprofile'))) {
    const { nodes } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as { nodes: ProfileNode[] }
    samples += foldV8(nodes, counts)
  }
  return { profiler: 'v8', counts, samples, status: run.status, stderr: run.stderr }
}

/** Folds a profile of V8 into `counts`; answers the samples. Time in which nothing ran is left out. */
export function foldV8(nodes: readonly ProfileNode[], counts: Map<string, number>): number {
  const byId = new Map(nodes.map(node => [node.id, node]))
  let samples = 0
  const walk = (node: ProfileNode, above: string): void => {
    const { functionName, url, lineNumber } = node.callFrame
    const place = url === '' ? '' : ` (${url.split('/').slice(-2).join('/')}:${lineNumber + 1})`
    const name = `${functionName || '(anonymous)'}${place}`.replaceAll(';', ',')
    const stack = above === '' ? name : `${above};${name}`
    const hits = functionName === '(idle)' ? 0 : (node.hitCount ?? 0)
    if (hits > 0) counts.set(stack, (counts.get(stack) ?? 0) + hits)
    samples += hits
    for (const child of node.children ?? []) walk(byId.get(child)!, stack)
  }
  if (nodes.length > 0) walk(nodes[0], '')
  return samples
}
