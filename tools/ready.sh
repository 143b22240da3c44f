#!/bin/sh
# Makes a checkout ready to run: installs from the lock file and builds, each only when something it depends on changed.
# Plain sh because it runs before any TypeScript can. Run it from the repository's root.
set -e

# Installed is what npm has finished after the lock file last changed, or what was installed from this very lock file:
# a checkout dates files anew.
installed=node_modules/.package-lock.json
if [ ! -f "$installed" ] ||
  { [ package-lock.json -nt "$installed" ] && ! cmp -s package-lock.json node_modules/.installed-from; }; then
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    { echo "hairpin: needs Node 20.19 or newer, found $(node --version)" >&2; exit 1; }
  echo "hairpin: installing dependencies from package-lock.json" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch "$installed"
  cp package-lock.json node_modules/.installed-from
fi

# Folders are compared too: a deleted file changes only its folder's time.
built=dist/.built
if [ ! -f "$built" ] || [ -n "$(find src test bench tools tsconfig.json "$installed" -newer "$built" 2>/dev/null | head -n 1)" ]; then
  echo "hairpin: building" >&2
  mkdir -p dist
  # Dated before the compiler reads, so that what is edited while it runs is built next time.
  touch dist/.building
  node_modules/.bin/tsc -p tsconfig.json
  # What was built from a source that is gone would still run.
  find dist/src dist/test dist/bench dist/tools -name '*.js' 2>/dev/null | while read -r file; do
    source=${file#dist/}
    [ -f "${source%.js}.ts" ] || rm -f "$file" "$file.map" "${file%.js}.d.ts"
  done
  # The command line as one script, which starts faster, and V8's compiled code of it.
  node dist/tools/bundle.js
  node dist/tools/code.js
  # What `npx hairpin` runs; npm makes it so only where it was there when dependencies were installed.
  chmod +x dist/src/cli/main.js
  mv dist/.building "$built"
fi
