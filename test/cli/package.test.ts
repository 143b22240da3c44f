// What npm would publish, installed beside a program of somebody else's: everything that commands read is in it.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { root } from '../../tools/sources.js'
import { folder, run } from './hairpin.js'

const project = join(folder, 'project')
const installed = join(project, 'node_modules/hairpin')
const main = join(installed, 'dist/src/cli/main.js')
let files: string[] = []

const hairpin = (...args: string[]) => run(process.execPath, [main, ...args], { cwd: project })

before(() => {
  const told = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  const [{ files: listed }] = JSON.parse(told) as [{ files: { path: string }[] }]
  files = listed.map(({ path }) => path)
  for (const path of files) {
    mkdirSync(dirname(join(installed, path)), { recursive: true })
    copyFileSync(join(root, path), join(installed, path))
  }
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  for (const name of Object.keys(dependencies))
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name))
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name.startsWith('@') && !existsSync(join(project, 'node_modules', name)))
      symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name))
})

test('no tests are published, and no machine knows them', () => {
  assert.deepEqual(
    files.filter(path => /\.test\.|^test\//.test(path)),
    [],
  )
  for (const path of ['README.md', 'LICENSE', 'package.json', 'dist/bundle.cjs', 'dist/src/index.d.ts'])
    assert.ok(files.includes(path), path)
})

test('every command of an installed package has its help', async () => {
  for (const name of readdirSync(join(installed, 'src/cli'))) {
    const { code, out, err } = await hairpin(name, '--help')
    assert.equal(code, 0, err)
    assert.match(out, new RegExp(`^hairpin ${name}$`, 'm'))
  }
})

test('a program outside the package is checked and run over the bundled capture', async () => {
  writeFileSync(
    join(project, 'odd.ts'),
    `import { type Packet, Verdict, cell, u32 } from 'hairpin'
const seen = cell(u32)
export default function odd(packet: Packet): Verdict {
  if (!packet.ipv4) return Verdict.Pass
  seen.set(seen.get() + 1)
  return (seen.get() & 1) === 1 ? Verdict.Transmit : Verdict.Drop
}
`,
  )
  const capture = join(installed, 'programs/demo/knocking.pcap')
  const checked = await hairpin('check', 'odd.ts')
  assert.equal(checked.code, 0, checked.err)
  const ran = await hairpin('run', 'odd.ts', '--in', capture, '--strategy', 'scr', '--cores', '2')
  assert.equal(ran.code, 0, ran.err)
  assert.match(ran.out, /unaccounted 0/)
})
