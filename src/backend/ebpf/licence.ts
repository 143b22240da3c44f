// What the kernel is told of a program's licence: it knows a few names, and helpers that ask for one of the GPL.

/** For a program's own SPDX identifier. */
export const kernelLicence = (identifier: string | undefined): string =>
  /GPL/.test(identifier ?? '') ? 'GPL' : (identifier ?? 'none')
