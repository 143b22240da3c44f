// The thread that beside.ts starts: imports TypeScript, and answers every question with what it says about the types.

import { workerData } from 'node:worker_threads'
import { signal } from './beside.js'
import type { CheckerData, Question } from './beside.js'
import { check, parseLibraries } from './check.js'
import { keepTypeScriptCode, loadTypeScript } from './typescript.js'

const { port, signals, codeFolder } = workerData as CheckerData

function raise(place: number): void {
  Atomics.add(signals, place, 1)
  Atomics.notify(signals, place)
}

let number = 0
port.on('message', ({ file, text }: Question) => {
  number++
  try {
    port.postMessage({ number, found: check(file, text).diagnostics })
  } catch {
    // Whoever asked checks by itself, and meets the same fault where it can be reported.
    port.postMessage({ number })
  }
  raise(signal.answers)
  keepTypeScriptCode()
  raise(signal.kept)
})

loadTypeScript(codeFolder)
parseLibraries()
raise(signal.ready)
