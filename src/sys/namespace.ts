// Network namespaces of threads.
//
// A namespace belongs to a thread, not to the process. `inNamespace` moves the calling thread there for one
// synchronous call and back, which no other JavaScript can notice; sockets opened and processes started meanwhile stay
// there. A worker thread that serves one namespace enters it for good. Node's pool threads never move: use synchronous
// file functions inside.

import { closeSync, openSync, statSync } from 'node:fs'
import { isPromise } from 'node:util/types'
import { errno } from './errno.js'
import { checked, SystemError, Unsupported } from './failure.js'
import { kernel } from './kernel.js'

const CLONE_NEWNET = 0x4000_0000
/** The namespace of the thread that looks. */
const hereFile = '/proc/thread-self/ns/net'

/** Where `ip netns` keeps the names of namespaces. */
export const namespaceFolder = '/run/netns'

/** The file of a namespace by its name, as `ip netns` gives them. */
export function namespacePath(name: string): string {
  return `${namespaceFolder}/${name}`
}

/** Identity of the namespace behind a file, or of the calling thread's; equal for the same namespace. */
export function namespaceId(path: string = hereFile): string {
  const { dev, ino } = statSync(path, { bigint: true })
  return `${dev}:${ino}`
}

/** Runs a synchronous function in a namespace. Ends the process if the thread cannot come back. */
export function inNamespace<T>(path: string, action: () => T): T {
  const home = openSync(hereFile, 'r')
  try {
    enterNamespace(path)
    try {
      const result = action()
      if (isPromise(result)) throw new Error('a function that runs in a namespace is synchronous')
      return result
    } finally {
      if (kernel().setns(home, CLONE_NEWNET) < 0) abandon()
    }
  } finally {
    closeSync(home)
  }
}

/** A thread in a foreign namespace would do harm without knowing it. */
function abandon(): never {
  process.stderr.write('hairpin: cannot leave a network namespace again\n')
  process.abort()
}

/** Moves the calling thread into a namespace for good: for worker threads. */
export function enterNamespace(path: string): void {
  const fd = open(path)
  try {
    const result = kernel().setns(fd, CLONE_NEWNET)
    if (-result === errno.EPERM)
      throw new Unsupported('entering a network namespace', 'root', 'an unprivileged user')
    checked(result, `setns(${path})`)
  } finally {
    closeSync(fd)
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (error) {
    throw new SystemError(
      `open(${path})`,
      errno.ENOENT,
      { reason: 'there is no such network namespace' },
      { cause: error },
    )
  }
}

/** Moves the calling thread into a new, empty namespace for good; it goes with the last thread or socket in it. */
export function enterNewNamespace(): void {
  const result = kernel().unshare(CLONE_NEWNET)
  if (-result === errno.EPERM)
    throw new Unsupported('a new network namespace', 'root', 'an unprivileged user')
  checked(result, 'unshare(CLONE_NEWNET)')
}

/** A namespace without a name, which goes with everything in it when it is closed or the process ends. */
export interface HeldNamespace {
  /** For `inNamespace` and `enterNamespace`, in this process. */
  readonly path: string
  readonly fd: number
  close(): void
}

/** Makes one; the calling thread stays where it is. */
export function holdNewNamespace(): HeldNamespace {
  const home = open(hereFile)
  try {
    enterNewNamespace()
    let fd = -1
    try {
      fd = openSync(hereFile, 'r')
    } finally {
      if (kernel().setns(home, CLONE_NEWNET) < 0) abandon()
    }
    return { path: `/proc/self/fd/${fd}`, fd, close: () => closeSync(fd) }
  } finally {
    closeSync(home)
  }
}

/** The namespace that the calling thread is in, held open. */
export function here(): HeldNamespace {
  const fd = openSync(hereFile, 'r')
  return { path: `/proc/self/fd/${fd}`, fd, close: () => closeSync(fd) }
}
