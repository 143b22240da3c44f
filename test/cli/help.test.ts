// What the command line says of itself.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Command } from '../../src/cli/command.js'
import { root } from '../../tools/sources.js'
import { hairpin } from './hairpin.js'

const commands = readdirSync(join(root, 'src/cli'), { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(({ name }) => name)

test('the overview lists every command and fits 100 columns', async () => {
  const { code, out, err } = await hairpin(['--help'])
  assert.equal(code, 0)
  assert.equal(err, '')
  for (const name of commands) assert.match(out, new RegExp(`^  ${name} `, 'm'))
  assert.ok(out.split('\n').every(line => line.length <= 100))
})

test('without arguments the overview goes to standard error', async () => {
  const { code, out, err } = await hairpin([])
  assert.equal(code, 2)
  assert.equal(out, '')
  assert.match(err, /^hairpin \d/)
})

for (const name of commands)
  test(`${name} --help is its README: usage, every flag, examples, exit codes, at most 100 columns`, async () => {
    const { code, out } = await hairpin([name, '--help'])
    assert.equal(code, 0)
    assert.match(out, new RegExp(`^hairpin ${name}$`, 'm'))
    assert.doesNotMatch(out, /^#|`/m)
    for (const line of out.split('\n')) assert.ok(line.length <= 100, line)
    const module = (await import(`../../src/cli/${name}/command.js`)) as { command: Command }
    for (const [flag, { short }] of Object.entries(module.command.flags)) {
      assert.match(out, new RegExp(`--${flag}\\b`), `--${flag} is not explained`)
      if (short !== undefined) assert.match(out, new RegExp(`-${short}, --${flag}\\b`))
    }
    assert.match(out, /^Exit codes$/m)
    assert.match(out, new RegExp(`^    hairpin ${name}`, 'm'))
  })

test('README files are what help prints, marks of headings and code apart', async () => {
  const { out } = await hairpin(['help', 'run'])
  const readme = readFileSync(join(root, 'src/cli/run/README.md'), 'utf8')
  assert.equal(
    out,
    readme.replace(/^#+ /gm, '').replace(/^(?! {4}).*$/gm, line => line.replaceAll('`', '')),
  )
})

test('the version is that of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  assert.equal((await hairpin(['--version'])).out, `hairpin ${version}\n`)
})
