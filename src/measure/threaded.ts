/** Receiving on threads of the kernel (threaded NAPI, Linux 5.12), on one CPU, for a device of the calling thread's namespace. */

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'

/** Turns it on; what it answers turns it off again. Throws where the kernel does not do it. */
export function receiveOnThread(device: string, cpu: number): () => void {
  const path = `/sys/class/net/${device}/threaded`
  const off = (): void => {
    try {
      writeFileSync(path, '0')
    } catch {
      // The device is gone, and its threads with it.
    }
  }
  try {
    writeFileSync(path, '1')
  } catch (error) {
    throw new Error(`threaded receiving on ${device}: ${(error as Error).message}`, { cause: error })
  }
  try {
    pinReceiving(device, cpu)
  } catch (error) {
    off()
    throw error
  }
  return off
}

/** Puts the threads that a device receives on, of any namespace, on one CPU. */
export function pinReceiving(device: string, cpu: number): void {
  const threads = readdirSync('/proc').filter(
    pid => /^\d+$/.test(pid) && commandOf(pid).startsWith(`napi/${device}-`),
  )
  if (threads.length === 0)
    throw new Error(`threaded receiving on ${device}: no thread napi/${device}-… appeared`)
  for (const pid of threads) {
    const { status, stderr } = spawnSync('taskset', ['-pc', String(cpu), pid], { encoding: 'utf8' })
    if (status !== 0) throw new Error(`taskset: ${stderr?.trim() || 'it did not run'}`)
  }
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8')
  } catch {
    return ''
  }
}
