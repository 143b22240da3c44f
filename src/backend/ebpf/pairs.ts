// Which pairs of small numbers are in a set: a bit for each, in either order.

export class Pairs {
  private readonly bound: number
  private readonly words: Int32Array
  private readonly stride: number

  /** Of numbers below `bound`; takes bound² / 8 bytes. */
  constructor(bound: number, words = new Int32Array(bound * ((bound + 31) >>> 5))) {
    this.bound = bound
    this.words = words
    this.stride = (bound + 31) >>> 5
  }

  copy(): Pairs {
    return new Pairs(this.bound, this.words.slice())
  }

  has(a: number, b: number): boolean {
    return ((this.words[a * this.stride + (b >>> 5)] >>> (b & 31)) & 1) !== 0
  }

  add(a: number, b: number): void {
    this.words[a * this.stride + (b >>> 5)] |= 1 << (b & 31)
    this.words[b * this.stride + (a >>> 5)] |= 1 << (a & 31)
  }
}
