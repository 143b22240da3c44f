// What must happen before this process ends: by itself, by an uncaught error, or by Ctrl-C and its like.
//
// Actions are synchronous and never throw. A signal that somebody else in the process listens to is theirs to answer;
// then the actions run when the process exits. Nothing helps against SIGKILL (see `sweep` in lab.ts).

const actions = new Set<() => void>()
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Registers an action; gives the way to forget it. */
export function atEnd(action: () => void): () => void {
  if (actions.size === 0) {
    process.on('exit', runAll)
    for (const signal of signals) process.on(signal, onSignal)
  }
  actions.add(action)
  return () => {
    actions.delete(action)
    if (actions.size > 0) return
    process.removeListener('exit', runAll)
    for (const signal of signals) process.removeListener(signal, onSignal)
  }
}

function runAll(): void {
  for (const action of actions) action()
}

function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return
  runAll()
  process.removeListener(signal, onSignal)
  process.kill(process.pid, signal)
}
