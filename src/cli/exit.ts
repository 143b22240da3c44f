// Exit codes, the same for every command. README.md of the CLI and docs/json.md list them.

export const exit = {
  /** Done, and what was asked holds. */
  ok: 0,
  /** Done, and the answer is no: verify found a difference, a test failed, packets are unaccounted for. */
  no: 1,
  /** Called wrongly: unknown flag, missing argument, impossible combination. */
  usage: 2,
  /** The program does not compile, or cannot run the way that was asked. */
  program: 3,
  /** An input could not be read to its end; everything before the damage was processed. */
  input: 4,
  /** A worker crashed, or something else that should not happen. */
  failure: 5,
  /** Ended by Ctrl-C. */
  interrupted: 130,
} as const
