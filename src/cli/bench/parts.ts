// What a long measurement has finished, kept beside its report so that --resume goes on from there.
//
// Parts are only good for the settings and the machine that they were made with; those of others are dropped. They are
// written whole or not at all, go when the report is complete, and one that cannot be read is measured again.

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'

export interface Parts {
  /** A part that was finished before; undefined if there is none. */
  get(name: string): unknown
  /** Keeps a part: plain data, maps among it. */
  set(name: string, part: unknown): void
  /** Removes all parts. */
  clear(): void
}

/** Opens the parts in a report's folder; without `resume` what is there is dropped. */
export function openParts(folder: string, settings: object, resume: boolean): Parts {
  const place = join(folder, 'parts')
  const about = JSON.stringify(settings)
  const fileOf = (name: string): string =>
    join(place, `${createHash('sha256').update(name).digest('hex').slice(0, 16)}.part`)
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(place, { recursive: true })
    writeFileSync(`${path}.new`, content)
    renameSync(`${path}.new`, path)
  }
  const clear = (): void => rmSync(place, { recursive: true, force: true })
  const settingsFile = join(place, 'settings.json')
  if (!resume || textIn(settingsFile) !== about) {
    clear()
    write(settingsFile, about)
  }
  return {
    get(name) {
      try {
        return deserialize(readFileSync(fileOf(name)))
      } catch {
        return undefined
      }
    },
    set: (name, part) => write(fileOf(name), serialize(part)),
    clear,
  }
}

function textIn(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
