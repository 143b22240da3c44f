import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import { Screen, cut, styles } from './screen.js'

/** A terminal that remembers what was written to it. */
class Terminal extends EventEmitter {
  columns = 20
  rows = 4
  written = ''
  raw: boolean[] = []
  readonly isTTY = true
  write(text: string): boolean {
    this.written += text
    return true
  }
  setRawMode(on: boolean): this {
    this.raw.push(on)
    return this
  }
  pause(): this {
    return this
  }
  resume(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  /** What was written since the last call, with ESC for the escape character. */
  taken(): string {
    const text = this.written.replaceAll('\x1b', 'ESC')
    this.written = ''
    return text
  }
}

function opened(): { terminal: Terminal; screen: Screen; events: string[] } {
  const terminal = new Terminal()
  const events: string[] = []
  const screen = new Screen(terminal as never, terminal as never, {
    quit: interrupted => events.push(interrupted ? 'interrupted' : 'quit'),
    redraw: () => events.push('redraw'),
    key: key => events.push(key),
  })
  screen.open()
  terminal.taken()
  return { terminal, screen, events }
}

test('only lines that changed are written, in one synchronized update', () => {
  const { terminal, screen } = opened()
  screen.draw(['a', 'b', 'c'])
  assert.equal((terminal.taken().match(/ESC\[\d+;1H/g) ?? []).length, 3)
  screen.draw(['a', 'x', 'c'])
  assert.equal(terminal.taken(), 'ESC[?2026hESC[2;1HxESC[0mESC[KESC[?2026l')
  screen.draw(['a', 'x', 'c'])
  assert.equal(terminal.taken(), '')
  screen.draw(['a'])
  assert.match(terminal.taken(), /ESC\[2;1HESC\[0mESC\[KESC\[3;1H/)
  screen.close()
})

test('the terminal comes back as it was, once', () => {
  const { terminal, screen } = opened()
  screen.close()
  assert.equal(terminal.taken(), 'ESC[0mESC[?25hESC[?1049l')
  assert.deepEqual(terminal.raw, [true, false])
  screen.close()
  screen.draw(['late'])
  assert.equal(terminal.taken(), '')
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGCONT'])
    assert.equal(process.listenerCount(event), 0, event)
})

test('keys, Ctrl-C and changes of size reach the owner', () => {
  const { terminal, screen, events } = opened()
  for (const typed of ['q', '\x03', ' ', '\x1b[C']) terminal.emit('data', Buffer.from(typed))
  terminal.emit('resize')
  process.emit('SIGTERM')
  assert.deepEqual(events, ['quit', 'interrupted', ' ', '\x1b[C', 'redraw', 'interrupted'])
  screen.close()
})

test('a page longer than the terminal is scrolled, and stops at its ends', () => {
  const { terminal, screen } = opened()
  const lines = ['1', '2', '3', '4', '5', '6']
  screen.draw(lines)
  assert.match(terminal.taken(), /ESC\[4;1H… 3 more lines; /)
  terminal.emit('data', Buffer.from('\x1b[B\x1b[B\x1b[B'))
  assert.match(terminal.taken(), /ESC\[4;1H6/)
  terminal.emit('data', Buffer.from('kkkkk'))
  assert.match(terminal.taken(), /ESC\[1;1H1ESC/)
  screen.close()
})

test('lines are cut at the edge; colours take no room', () => {
  const { bold, red } = styles(true)
  assert.equal(cut('abcdef', 4), 'abc…')
  assert.equal(cut('abcd', 4), 'abcd')
  assert.equal(cut(`${bold('ab')}${red('cdef')}`, 4), '\x1b[1mab\x1b[0m\x1b[31mc…\x1b[0m')
  assert.equal(styles(false).bold('x'), 'x')
})
