// The kernel that is tried: Debian's newest 6.1, downloaded and unpacked, or another image.

import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { folder, missing, output } from './needs.js'

export interface Kernel {
  readonly image: string
  /** Files of its modules by name, without .ko; empty for an image that came alone. */
  readonly modules: ReadonlyMap<string, string>
}

const none: ReadonlyMap<string, string> = new Map()

/** The kernel image of Debian's newest 6.1, unpacked in dist/guest. */
export function debianKernel(): Kernel {
  const unpacked = join(folder, 'kernel/boot')
  const image = (): string | undefined =>
    existsSync(unpacked) ? readdirSync(unpacked).find(f => f.startsWith('vmlinuz')) : undefined
  if (image() === undefined) {
    const packages = output(
      'apt-cache',
      'search',
      '--names-only',
      '^linux-image-6\\.1\\.0-[0-9]+-cloud-amd64$',
    )
    const names = packages.split('\n').flatMap(line => line.split(' ')[0] || [])
    const newest = names.toSorted((a, b) => Number(a.split('-')[3]) - Number(b.split('-')[3])).at(-1)
    if (newest === undefined)
      missing(
        'apt knows no linux-image-6.1.0-N-cloud-amd64, which Debian 12 has; name an image with --kernel, and ' +
          'the folder of its modules with --modules',
      )
    output('apt-get', 'download', newest)
    const file = readdirSync(folder).find(f => f.startsWith(newest) && f.endsWith('.deb'))!
    output('dpkg-deb', '-x', file, 'kernel')
  }
  return { image: join(unpacked, image()!), modules: modulesOf(join(folder, 'kernel/lib/modules')) }
}

/** An image, and where its modules are. */
export function kernelAt(image: string, modules: string | undefined): Kernel {
  if (!existsSync(image)) missing(`there is no ${image}`)
  return { image, modules: modules === undefined ? none : modulesOf(modules) }
}

function modulesOf(path: string): ReadonlyMap<string, string> {
  if (!existsSync(path)) return none
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter(f => f.endsWith('.ko'))
  return new Map(files.map(file => [basename(file, '.ko'), join(path, file)]))
}
