# Sourced by the other scripts: finds a Python, makes .venv-<version> from
# requirements.lock, and leaves its interpreter in $python. Quick when nothing
# has changed. `PYTHON=` chooses another interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
unset PYTHONHOME PYTHONPATH PIP_USER PIP_TARGET PIP_PREFIX PIP_REQUIRE_VIRTUALENV

say() { printf '%s\n' "$*" >&2; }
fail() {
  local line
  for line in "$@"; do say "$line"; done
  exit 1
}

suits() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2> /dev/null
}

find_python() {
  local candidate
  if [ -n "${PYTHON:-}" ]; then
    command -v "$PYTHON" > /dev/null || fail "PYTHON=$PYTHON: there is no such program."
    suits "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11, 3.12 or 3.13."
    command -v "$PYTHON"
    return
  fi
  for candidate in python3.13 python3.12 python3.11 python3 python; do
    if command -v "$candidate" > /dev/null && suits "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  fail "Python 3.11, 3.12 or 3.13 is needed, and none was found on the PATH." \
    "Install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: PYTHON=/path/to/python3 $0"
}

make_venv() {
  if "$python" -c 'import sys; sys.exit(sys.prefix == sys.base_prefix)' 2> /dev/null; then
    return
  fi
  "$base_python" -c 'import ensurepip, venv' 2> /dev/null || fail \
    "$base_python cannot make virtual environments (no module venv or ensurepip)." \
    "Debian, Ubuntu: apt-get install python$version-venv (or python3-venv). Then run this again."
  say "Making $venv with $base_python"
  rm -rf "$venv"
  "$base_python" -m venv "$venv" || fail "$venv could not be made; is the disk full or read-only?"
}

# Shows pip's progress as a counter; everything it says goes to $log.
progress() {
  local count=0 total line
  # Those of other systems are not fetched.
  total="$(grep '^[^ #]*==' requirements.lock | grep -vc "sys_platform == '")"
  while IFS= read -r line; do
    printf '%s\n' "$line" >> "$log"
    case "$line" in
      # "Processing": a wheel of a folder, where pip's configuration names one.
      Collecting* | Processing*)
        count=$((count + 1))
        if [ -t 2 ]; then
          printf '\r\033[K  fetching %d of about %d: %s' "$count" "$total" "${line#* }" >&2
        elif [ $((count % 20)) -eq 0 ]; then
          say "  fetching $count of about $total"
        fi
        ;;
      Installing\ collected*)
        if [ -t 2 ]; then printf '\r\033[K' >&2; fi
        say "  installing (about a minute)"
        ;;
    esac
  done
}

install() {
  : > "$log"
  say "Installing the packages of requirements.lock into $venv (once; a minute or two)"
  if ! "$python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
    --require-hashes -r requirements.lock 2>&1 | progress; then
    tail -n 15 "$log" >&2
    fail "The packages could not be installed (the whole output: $log)." \
      "Is the network up, and the package index of 'pip config list' reachable? Then run this again."
  fi
  if ! "$python" -m pip install --disable-pip-version-check --no-input --quiet \
    --no-deps --no-build-isolation -e . >> "$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "The package itself could not be installed (the whole output: $log)."
  fi
}

base_python="$(find_python)" || exit 1
version="$("$base_python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
venv="$PWD/.venv-$version"
python="$venv/bin/python"
log="$venv/install.log"
# The place is part of the stamp: an environment does not survive being moved.
stamp="$("$base_python" - "$PWD" requirements.lock pyproject.toml << 'PY'
import hashlib, pathlib, sys
digest = hashlib.sha256(sys.argv[1].encode())
for name in sys.argv[2:]:
    digest.update(pathlib.Path(name).read_bytes())
print(digest.hexdigest())
PY
)"

if [ "$(cat "$venv/stamp" 2> /dev/null || true)" != "$stamp" ] || ! "$python" -c '' 2> /dev/null; then
  (
    # One at a time: a second script waits for the first and finds the work done.
    if command -v flock > /dev/null; then
      { mkdir -p var && exec 9> "var/setup-$version.lock"; } 2> /dev/null || fail "$PWD/var is not writable."
      flock 9
    fi
    if [ "$(cat "$venv/stamp" 2> /dev/null || true)" != "$stamp" ] || ! "$python" -c '' 2> /dev/null; then
      make_venv
      install
      printf '%s\n' "$stamp" > "$venv/stamp"
    fi
  )
fi
