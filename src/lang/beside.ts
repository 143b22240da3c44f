// Type-checks on a second thread while the program is compiled on this one: the checker is TypeScript's and takes about as
// long as everything else, and lowering asks it nothing where functions have annotations.
//
// Promises: the diagnostics are those that a check on this thread gives; whoever compiles waits for them before it hands
// anything out; a thread that fails or hangs counts as none. Off unless it is started: a thread has a TypeScript of its
// own (checker-thread.ts). Compiling stays synchronous, so answers are waited for, not awaited.

import { availableParallelism } from 'node:os'
import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { Diagnostic } from '../diagnostics/diagnostic.js'

/** What the thread is started with. */
export interface CheckerData {
  readonly port: MessagePort
  readonly signals: Int32Array<SharedArrayBuffer>
  readonly codeFolder: string | undefined
}

export interface Question {
  readonly file: string
  readonly text: string
}

/** Places in the signals, which only grow: 1 when TypeScript is imported, answers given, 1 when code is kept. */
export const signal = { ready: 0, answers: 1, kept: 2 } as const

/** Milliseconds that are waited for the thread, however busy the machine: then this one checks. */
const patience = 10_000

interface Thread extends Omit<CheckerData, 'codeFolder'> {
  readonly worker: Worker
  asked: number
}

let thread: Thread | undefined

/** Starts the thread, if it has a processor to run on. TypeScript's compiled code comes from the folder, if one is given. */
export function startChecker(codeFolder: string | undefined): void {
  if (thread || availableParallelism() < 2) return
  const { port1: port, port2 } = new MessageChannel()
  const signals = new Int32Array(new SharedArrayBuffer(12))
  const worker = new Worker(new URL('./checker-thread.js', import.meta.url), {
    workerData: { port: port2, signals, codeFolder } satisfies CheckerData,
    transferList: [port2],
  })
  worker.on('error', stopChecker)
  worker.unref()
  port.unref()
  thread = { worker, port, signals, asked: 0 }
}

/** Waits until a signal has come `count` times; false if that takes too long. */
function reached({ signals }: Thread, place: number, count: number): boolean {
  const end = performance.now() + patience
  for (let seen = Atomics.load(signals, place); seen < count; seen = Atomics.load(signals, place)) {
    const left = end - performance.now()
    if (left <= 0) return false
    Atomics.wait(signals, place, seen, left)
  }
  return true
}

/** Waits until the thread, if there is one, has imported TypeScript. */
export function awaitChecker(): void {
  if (thread && !reached(thread, signal.ready, 1)) stopChecker()
}

/**
 * Has a program checked: the returned function waits for what TypeScript says, and gives undefined if the thread did not
 * answer. Undefined if there is no thread.
 */
export function askChecker(
  file: string,
  text: string,
): (() => readonly Diagnostic[] | undefined) | undefined {
  const asked = thread
  if (!asked) return undefined
  asked.port.postMessage({ file, text } satisfies Question)
  const number = ++asked.asked
  return () => {
    if (asked !== thread) return undefined
    if (!reached(asked, signal.answers, number)) return void stopChecker()
    // Those before belong to questions whose answers nobody took.
    let answer: { readonly message: { number: number; found?: readonly Diagnostic[] } } | undefined
    do answer = receiveMessageOnPort(asked.port) as typeof answer
    while (answer && answer.message.number < number)
    return answer?.message.found
  }
}

/** Ends the thread, once it has kept TypeScript's compiled code if there was none. False if there was no thread. */
export function stopChecker(): boolean {
  if (!thread) return false
  const { worker, port } = thread
  if (thread.asked > 0) reached(thread, signal.kept, 1)
  thread = undefined
  port.close()
  void worker.terminate()
  return true
}
