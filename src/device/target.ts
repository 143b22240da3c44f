// Where output bytes go: a file, standard output, or memory. Synchronous; never throws for what the system answers.

import { closeSync, openSync, writeSync } from 'node:fs'
import { pause, systemText } from './source.js'

export interface ByteTarget {
  /** Writes all of the bytes; answers why that failed, or undefined. */
  write(bytes: Uint8Array): string | undefined
  /** Answers why closing failed, or undefined; idempotent. */
  close(): string | undefined
}

/** Creates or empties a file, or takes standard output for `-`; answers the reason as a string when that fails. */
export function openFileTarget(path: string): ByteTarget | string {
  if (path === '-') return fileTarget(1, false)
  try {
    return fileTarget(openSync(path, 'w'), true)
  } catch (error) {
    return systemText(error)
  }
}

/** A target in memory; `bytes` answers what was written. */
export function bytesTarget(): ByteTarget & { bytes(): Buffer } {
  const parts: Uint8Array[] = []
  return {
    write(bytes) {
      parts.push(new Uint8Array(bytes))
      return undefined
    },
    close: () => undefined,
    bytes: () => Buffer.concat(parts),
  }
}

function fileTarget(descriptor: number, owned: boolean): ByteTarget {
  let open = owned
  return {
    write: bytes => writeAll(descriptor, bytes),
    close() {
      if (!open) return undefined
      open = false
      try {
        closeSync(descriptor)
        return undefined
      } catch (error) {
        return systemText(error)
      }
    },
  }
}

function writeAll(descriptor: number, bytes: Uint8Array): string | undefined {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at, bytes.length - at)
    } catch (error) {
      const { code } = error as { code?: string }
      if (code !== 'EAGAIN' && code !== 'EINTR') return systemText(error)
      pause(1)
    }
  }
  return undefined
}
