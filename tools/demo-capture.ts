/**
 * Writes the bundled demo capture: `node dist/tools/demo-capture.js ORIGINAL [OUTPUT]`.
 * ORIGINAL is the capture named in programs/demo/README.md.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { makeDemoCapture } from '../src/traffic/demo.js'

const [original, output = 'programs/demo/knocking.pcap'] = process.argv.slice(2)
if (original === undefined) {
  console.error('usage: node dist/tools/demo-capture.js ORIGINAL [OUTPUT]')
  process.exitCode = 2
} else {
  const made = makeDemoCapture(readFileSync(original))
  writeFileSync(output, made)
  console.log(`${output}: ${made.length} bytes`)
}
