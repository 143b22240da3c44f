// A progress line on standard error, for people only: redrawn in place, removed at the end, absent in a pipe.

import { bytesText, grouped } from './grid.js'
import type { Io } from './command.js'

export interface Progress {
  /** Packets so far; bytes read of how many, if known. */
  update(packets: number, bytes: number, size: number | undefined): void
  clear(): void
}

const everyMilliseconds = 100

export function progressLine(io: Io, label: string): Progress {
  if (!io.terminal) return { update() {}, clear() {} }
  let last = 0
  let shown = false
  const began = performance.now()
  return {
    update(packets, bytes, size) {
      const now = performance.now()
      if (now - last < everyMilliseconds || now - began < 300) return
      last = now
      shown = true
      const rate = packets / ((now - began) / 1000)
      const tail = ` ${grouped(packets)} packets, ${(rate / 1e6).toFixed(2)} Mpps`
      const width = Math.max(10, Math.min(40, io.columns - label.length - tail.length - 12))
      const part = size ? Math.min(1, bytes / size) : 0
      const bar = size
        ? `[${'#'.repeat(Math.round(part * width)).padEnd(width, '.')}] ${(100 * part).toFixed(0).padStart(3)} %`
        : bytesText(bytes)
      io.err(`\r\x1b[2K${label} ${bar}${tail}`)
    },
    clear() {
      if (shown) io.err('\r\x1b[2K')
    },
  }
}
