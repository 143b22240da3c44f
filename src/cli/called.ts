// How a user calls us here, for the commands that we tell them to type next.

/** `npx hairpin` where npm runs us, as in a checkout; else `hairpin`. */
export const calledAs = (): string =>
  process.env.npm_lifecycle_event === undefined ? 'hairpin' : 'npx hairpin'
