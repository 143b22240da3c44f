// What a suite says: a line for each thing that was looked at, and the exit status.

/** Tells whether something is as it should be; a false one makes the exit status 1. */
export function check(isTrue: boolean, what: string, found = ''): void {
  if (!isTrue) process.exitCode = 1
  console.log(`${isTrue ? 'ok' : 'not ok'} ${what}${found === '' ? '' : `: ${found}`}`)
}

/** As `check` for two values that are to be equal. */
export const equal = (found: unknown, wanted: unknown, what: string): void =>
  check(same(found, wanted), what, same(found, wanted) ? short(found) : `${text(found)}, not ${text(wanted)}`)

/** Characters of a value that are enough where it is as it should be. */
const enough = 60

const short = (value: unknown): string => {
  const all = text(value)
  return all.length <= enough ? all : `${all.slice(0, enough)}…`
}

const text = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? Number(v) : v))

const same = (a: unknown, b: unknown): boolean => text(a) === text(b)
