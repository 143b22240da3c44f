// Where capture bytes come from: a file, a pipe, standard input, memory; gzip.ts unpacks one of these. A source is pulled, synchronous and
// sequential; it never throws for what the system answers.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Why no more bytes come. */
export interface SourceFailure {
  readonly kind: 'system' | 'truncated' | 'corrupt'
  /** In one clause. */
  readonly reason: string
}

/** Bytes in order. */
export interface ByteSource {
  /** Fills the front of `into`; answers how many bytes, 0 at the end, or why there are none. */
  read(into: Uint8Array): number | SourceFailure
  /** Bytes taken from the file so far; for a packed file, packed bytes. */
  readonly position: number
  /** Bytes of the file; undefined for pipes. */
  readonly size: number | undefined
  close(): void
}

/** Opens a file, or standard input for `-`; answers the reason as a string when that fails. */
export function openFileSource(path: string): ByteSource | string {
  try {
    const descriptor = path === '-' ? 0 : openSync(path, 'r')
    const stat = fstatSync(descriptor)
    if (stat.isDirectory()) {
      closeSync(descriptor)
      return 'it is a directory'
    }
    return new FileSource(descriptor, stat.isFile() ? stat.size : undefined)
  } catch (error) {
    return systemText(error)
  }
}

/** A source over bytes in memory. */
export function bytesSource(bytes: Uint8Array): ByteSource {
  let position = 0
  return {
    get position() {
      return position
    },
    size: bytes.length,
    read(into) {
      const part = bytes.subarray(position, position + into.length)
      into.set(part)
      position += part.length
      return part.length
    },
    close() {},
  }
}

/** What the system said, without stack and without repeating the path. */
export function systemText(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string }
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'permission denied',
    ENOSPC: 'the disk is full',
    EISDIR: 'it is a directory',
    EPIPE: 'the reader of the pipe went away',
  }
  return (code === undefined ? undefined : known[code]) ?? message ?? String(error)
}

class FileSource implements ByteSource {
  readonly #descriptor: number
  readonly size: number | undefined
  position = 0
  #open = true

  constructor(descriptor: number, size: number | undefined) {
    this.#descriptor = descriptor
    this.size = size
  }

  read(into: Uint8Array): number | SourceFailure {
    for (;;) {
      try {
        const count = readSync(this.#descriptor, into, 0, into.length, null)
        this.position += count
        return count
      } catch (error) {
        const { code } = error as { code?: string }
        if (code === 'EOF') return 0
        if (code !== 'EAGAIN' && code !== 'EINTR') {
          return { kind: 'system', reason: `reading failed: ${systemText(error)}` }
        }
        pause(1)
      }
    }
  }

  close(): void {
    if (this.#open && this.#descriptor !== 0) closeSync(this.#descriptor)
    this.#open = false
  }
}

/** Waits without spinning: a pipe in non-blocking mode had nothing yet. */
export function pause(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
}
