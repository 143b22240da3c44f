#!/bin/sh
# Makes a checkout ready to run: installs from the lock file and builds, each only when something it depends on changed.
# Plain sh because it runs before any TypeScript can.
set -e
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "hairpin: installing dependencies from package-lock.json" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi
stamp=dist/.built
if [ ! -f "$stamp" ] || [ -n "$(find src test bench tools tsconfig.json package.json -newer "$stamp" -type f 2>/dev/null | head -n 1)" ]; then
  echo "hairpin: building" >&2
  node_modules/.bin/tsc -p tsconfig.json
  touch "$stamp"
fi
