#!/usr/bin/env node
// What the shell starts: takes the command line as one script with V8's compiled code (bundle.ts), or module by module
// where the build has left no such script. Read dispatch.ts next.

import { openBundle } from '../bundle.js'
import { setShortRunFlags } from '../v8-flags.js'
import { cacheFolder } from './cache-folder.js'

setShortRunFlags()
const args = process.argv.slice(2)
const bundle = openBundle(cacheFolder())
const commands = bundle ? bundle.load('cli/dispatch.js') : await import('./dispatch.js')
const { workOf, start } = commands as typeof import('./dispatch.js')
process.exitCode = await start(args)
setShortRunFlags()
const [label, times] = workOf(args)
bundle?.keep(label, times)
