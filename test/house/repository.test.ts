import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { stale } from '../../tools/generate.js'
import { root, trackedFiles } from '../../tools/sources.js'

const tracked = trackedFiles()
const noCheckout = tracked === undefined ? 'not a git checkout' : false

/** Text files under version control; this folder, which names what it forbids, and the licence aside. */
function texts(): { path: string; text: string }[] {
  return (tracked ?? [])
    .filter(path => !path.startsWith('test/house/') && path !== 'LICENSE')
    .filter(path => statSync(join(root, path)).size < 2 ** 20)
    .map(path => ({ path, text: readFileSync(join(root, path), 'latin1') }))
    .filter(({ text }) => !text.includes('\0'))
}

/** Lines that match, each as `path:line: text`. */
function matches(pattern: RegExp): string[] {
  return texts().flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, k) => (pattern.test(line) ? [`${path}:${k + 1}: ${line.trim()}`] : [])),
  )
}

test('no mark says that something is left to do', { skip: noCheckout }, () => {
  assert.deepEqual(matches(/\b(TODO|FIXME|XXX|HACK)\b/), [])
})

test('no path of one machine and no registry host is in a tracked file', { skip: noCheckout }, () => {
  assert.deepEqual(matches(/(^|[\s"'`(=:])(file:\/\/)?\/(work|root|home|Users)\//), [])
  assert.deepEqual(matches(/registry\.(npmjs|yarnpkg|npmmirror)|artifactory|npm\.pkg\.github/i), [])
})

test('the lock file names versions and hashes, and no host', () => {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8')
  assert.doesNotMatch(
    lock,
    /"resolved"|https?:\/\/(?!(www\.)?(github\.com|opencollective\.com|patreon\.com|paypal\.me))[^"]*\.tgz/,
  )
  const { packages } = JSON.parse(lock) as {
    packages: Record<string, { integrity?: string; link?: boolean }>
  }
  for (const [name, { integrity }] of Object.entries(packages))
    if (name !== '') assert.match(integrity ?? '', /^sha512-/, name)
})

test('the licence is Apache-2.0, in the package and as a file', () => {
  const { license, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    license: string
    files: string[]
  }
  assert.equal(license, 'Apache-2.0')
  assert.ok(files.includes('LICENSE'))
  assert.match(readFileSync(join(root, 'LICENSE'), 'utf8'), /Apache License\s+Version 2\.0/)
})

test('generated files are what their source says', () => {
  assert.deepEqual(stale(), [], 'run `npm run generate`')
})

test('links between documents lead somewhere', { skip: noCheckout }, () => {
  const broken = (tracked ?? [])
    .filter(path => path.endsWith('.md'))
    .flatMap(path => {
      const text = readFileSync(join(root, path), 'utf8').replace(/^(```)[^]*?^\1/gm, '')
      return [...text.matchAll(/\]\(([^)\s#]+)[^)]*\)/g)]
        .map(([, target]) => target)
        .filter(target => !/^[a-z]+:/.test(target))
        .filter(target => !existsSync(join(root, path, '..', target)))
        .map(target => `${path}: ${target}`)
    })
  assert.deepEqual(broken, [])
})

test('the command can be run as a program, as npx does', () => {
  assert.equal(statSync(join(root, 'dist/src/cli/main.js')).mode & 0o111, 0o111)
})
