#!/usr/bin/env bash
# By hand: the WhatsApp sidecar in the background under a guard, then the API. What is
# missing is fetched the first time: an environment for Python, a Node.
# Whatever becomes of npm, node or the sidecar is a line in the log; the API lives on.
set -u

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
cd -- "$root" || exit 1

tell() {
    printf 'time=%s level=%s logger=start_all msg="%s"\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2"
}

serves() {
    "$1" -c 'import sys; from importlib.util import find_spec; sys.exit(not find_spec("uvicorn"))' 2>/dev/null
}

# An environment that script/serve made, else that of the platform, else a new one.
find_python() {
    for python in .venv-3.1[1-3]/bin/python .venv/bin/python python3; do
        serves "$python" && return
    done
    if [ ! -f script/_setup.sh ]; then
        tell error "no python3 here has uvicorn: pip install -r requirements.txt"
        exit 1
    fi
    # In a process of its own, since it sets the shell's options and may end it.
    python=$(bash -c '. script/_setup.sh >&2 && printf "%s" "$python"') || exit 1
}

# A Node of 20 or newer on the PATH: the system's, else the one in .venv-node, fetched once.
bring_node() {
    local path=$PATH
    if [ -f script/_node.sh ]; then
        path=$(
            base_python=$(command -v "$python")
            say() { tell info "$*" >&3; }
            fail() {
                tell warning "$*" >&3
                exit 1
            }
            . script/_node.sh
            find_node >&3 2>&3
            printf '%s' "$PATH"
        ) || return
    fi
    PATH=$path
    command -v node >/dev/null && command -v npm >/dev/null
}

# Runs the sidecar for as long as the API lives, whose process id is $1. After a
# failure it waits 1, 2, 4 ... 60 seconds, so that a broken sidecar costs nothing.
guard_sidecar() {
    local api=$1 wait_s=1 sidecar=0 began_s=0
    if [ ! -f node/baileys/package.json ]; then
        tell warning "no WhatsApp: there is no node/baileys here"
        return
    fi
    # The shell's own remarks on processes that end are nobody's business.
    exec 3>&2 2>/dev/null
    if ! bring_node; then
        tell warning "no WhatsApp: there is no Node 20 or newer with npm"
        return
    fi
    cd node/baileys || return
    trap '[ "$sidecar" -gt 0 ] && kill "$sidecar"; exit 0' TERM INT
    while kill -0 "$api"; do
        # npm writes that file last: a node_modules without it was cut off.
        if [ -f node_modules/.package-lock.json ] ||
            npm ci --omit=dev --omit=peer --legacy-peer-deps --ignore-scripts 2>&3; then
            node . 2>&3 &
            sidecar=$! began_s=$SECONDS
            while kill -0 "$sidecar"; do
                if ! kill -0 "$api"; then
                    kill "$sidecar"
                    return
                fi
                sleep 1
            done
            wait "$sidecar"
            tell warning "the WhatsApp sidecar ended with $?"
            sidecar=0
            [ $((SECONDS - began_s)) -gt 60 ] && wait_s=1
        else
            tell warning "npm failed: no WhatsApp for now"
        fi
        sleep "$wait_s"
        wait_s=$((wait_s < 30 ? wait_s * 2 : 60))
    done
}

find_python
export PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}"
"$python" -m voiceagent.cli serve --check || exit

guard_sidecar "$$" &
exec "$python" -m uvicorn asgi:app --host "${HOST:-0.0.0.0}" --port "${PORT:-8000}" \
    --timeout-keep-alive 75 --access-log --log-level info --loop uvloop \
    --http voiceagent.web.http_protocol:BoundedHttpProtocol \
    --ws voiceagent.web.websocket_protocol:TwilioWebSocketProtocol \
    --ws-ping-interval 10 --ws-ping-timeout 20 --ws-max-size 65536 --ws-per-message-deflate false
