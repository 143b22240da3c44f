// Programs of other people that judge ours. They are not needed to work on hairpin: without one, a test is skipped and
// says which.

import { spawnSync } from 'node:child_process'

const installed = new Map<string, boolean>()

/** The reason to skip a test that runs `tool`; false if it is there. `hint` names where it comes from. */
export function requiresTool(tool: string, hint: string): string | false {
  let found = installed.get(tool)
  if (found === undefined) {
    found = spawnSync('/bin/sh', ['-c', 'command -v "$0"', tool]).status === 0
    installed.set(tool, found)
  }
  return found ? false : `tool: ${tool} is not installed (${hint})`
}

/** Runs a tool and gives what it prints; throws with all it said if it fails. */
export function runTool(tool: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(tool, args, {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    timeout: 60_000,
  })
  if (status === 0) return stdout
  throw new Error(
    `${[tool, ...args].join(' ')}: ${error?.message ?? `exit code ${status}`}\n${stdout}${stderr}`,
  )
}
