/**
 * Writes the scenarios of tools/scenarios/ to test/scenario/: `node dist/tools/scenarios.js [NAME…]`.
 *
 * Verdicts and counters are what the scenario says; a program that does otherwise stops the writing. State and output
 * are recorded from the serial run and the compiled program, for a person to read in the diff. Independently of both,
 * every packet of the output must have right checksums if it had them when it came in.
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openCapture } from '../src/device/capture.js'
import { loadPackets } from '../src/engine/packets.js'
import { checksumsOf } from '../src/wire/checksum.js'
import { single } from '../src/strategy/single.js'
import { pcapHeader } from '../src/traffic/pcapfile.js'
import { runCompiled, runInterpreted, scenarioFolder, subjectOf } from '../test/scenario/case.js'
import type { Outcome, Settings } from '../test/scenario/case.js'
import { scenarios } from './scenarios/all.js'
import type { Scenario, Step } from './scenarios/scenario.js'

/** When captures begin, seconds since 1970. */
const begin = 1_700_000_000

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

function capture(steps: readonly Step[]): Uint8Array {
  const parts: Uint8Array[] = [pcapHeader(0)]
  for (const [seconds, { bytes, original }] of steps) {
    const header = new DataView(new ArrayBuffer(16))
    const nanoseconds = Math.round(seconds * 1e9)
    header.setUint32(0, begin + Math.floor(nanoseconds / 1e9), true)
    header.setUint32(4, nanoseconds % 1e9, true)
    header.setUint32(8, bytes.length, true)
    header.setUint32(12, original ?? bytes.length, true)
    parts.push(new Uint8Array(header.buffer), bytes)
  }
  return Buffer.concat(parts)
}

const line = ([seconds, { text }, verdict, why]: Step): string =>
  [seconds.toFixed(6).padStart(14), verdict.padEnd(10), text, ...(why ? [`— ${why}`] : [])].join('  ')

/** Where a run differs from what the scenario says. */
function mistakes(scenario: Scenario, outcome: Outcome): string[] {
  const wrong = scenario.steps.flatMap((step, i) =>
    outcome.verdicts[i] === step[2] ? [] : [`packet ${i}: ${outcome.verdicts[i]} in place of${line(step)}`],
  )
  for (const [name, count] of Object.entries(outcome.counters))
    if (count !== (scenario.counters[name] ?? 0))
      wrong.push(`counter ${name}: ${count} in place of ${scenario.counters[name] ?? 0}`)
  return wrong
}

/** Packets whose checksums are right as they come and wrong as they leave. */
function wrongChecksums({ steps }: Scenario, path: string): string[] {
  const store = loadPackets((memory, workspace) => openCapture(path, { memory, workspace }))
  const wrong = (bytes: Uint8Array): string[] =>
    checksumsOf(bytes)
      .filter(({ stored, computed, none }) => computed !== undefined && !none && stored !== computed)
      .map(({ of, stored, computed }) => `${of} checksum is ${stored}, should be ${computed}`)
  return steps
    .filter(([, , verdict]) => verdict !== 'drop')
    .flatMap((step, i) =>
      i < store.count && wrong(step[1].bytes).length === 0
        ? wrong(store.packet(i).bytes).map(what => `${what}:${line(step)}`)
        : [],
    )
}

export async function writeScenario(scenario: Scenario): Promise<string[]> {
  const { name, steps, counters: _, ...rest } = scenario
  const folder = join(scenarioFolder, name)
  const path = (file: string): string => join(folder, file)
  const { name: __, ...settings } = { name, ...rest }
  mkdirSync(folder, { recursive: true })
  writeFileSync(path('settings.json'), json(settings satisfies Settings))
  writeFileSync(path('in.pcap'), capture(steps))
  writeFileSync(path('verdicts.txt'), `${steps.map(line).join('\n')}\n`)
  const subject = subjectOf(settings)
  const interpreted = runInterpreted(subject, path('in.pcap'))
  const compiled = await runCompiled(subject, path('in.pcap'), single, 1)
  writeFileSync(path('counters.json'), json(interpreted.counters))
  writeFileSync(path('state.json'), json(interpreted.state))
  if (compiled?.out) writeFileSync(path('out.pcap'), compiled.out)
  return [...mistakes(scenario, interpreted), ...wrongChecksums(scenario, path('out.pcap'))]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const chosen = process.argv.slice(2)
  for (const scenario of scenarios) {
    if (chosen.length && !chosen.includes(scenario.name)) continue
    const wrong = await writeScenario(scenario)
    if (wrong.length) process.exitCode = 1
    console.log([scenario.name, ...wrong.map(w => `  ${w}`)].join('\n'))
  }
  const known = new Set(scenarios.map(({ name }) => name))
  for (const entry of readdirSync(scenarioFolder, { withFileTypes: true }))
    if (entry.isDirectory() && !known.has(entry.name)) {
      rmSync(join(scenarioFolder, entry.name), { recursive: true })
      console.log(`removed ${entry.name}`)
    }
}
