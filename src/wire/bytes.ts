// Packet bytes written as text, for tests and documentation.

/** Bytes from hexadecimal digits; everything else in the text is layout. An odd last digit is left out. */
export const hex = (text: string): Uint8Array => {
  const digits = text.replace(/[^0-9a-f]/gi, '')
  return Uint8Array.from({ length: digits.length >> 1 }, (_, k) =>
    Number.parseInt(digits.slice(2 * k, 2 * k + 2), 16),
  )
}
