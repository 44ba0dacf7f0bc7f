#!/usr/bin/env bash
# By hand: the WhatsApp sidecar in the background under a guard, then the API.
# Whatever becomes of npm, node or the sidecar is a line in the log; the API lives on.
set -u

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd) || exit 1
cd -- "$root" || exit 1

say() {
    printf 'time=%s level=%s logger=start_all msg="%s"\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$1" "$2"
}

# Runs the sidecar for as long as the API lives, whose process id is $1. After a
# failure it waits 1, 2, 4 ... 60 seconds, so that a broken sidecar costs nothing.
guard_sidecar() {
    local api=$1 wait_s=1 sidecar=0 began_s=0
    if [ ! -f node/baileys/package.json ]; then
        say warning "no WhatsApp: there is no node/baileys here"
        return
    fi
    # A Node that script/test fetched, where the system has none.
    PATH="$PATH:$root/.venv-node/bin"
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        say warning "no WhatsApp: node or npm is missing"
        return
    fi
    cd node/baileys || return
    trap '[ "$sidecar" -gt 0 ] && kill "$sidecar" 2>/dev/null; exit 0' TERM INT
    while kill -0 "$api" 2>/dev/null; do
        # npm writes that file last: a node_modules without it was cut off.
        if [ -f node_modules/.package-lock.json ] ||
            npm ci --omit=dev --omit=peer --legacy-peer-deps --ignore-scripts; then
            node . &
            sidecar=$! began_s=$SECONDS
            while kill -0 "$sidecar" 2>/dev/null; do
                if ! kill -0 "$api" 2>/dev/null; then
                    kill "$sidecar"
                    return
                fi
                sleep 1
            done
            wait "$sidecar"
            say warning "the WhatsApp sidecar ended with $?"
            sidecar=0
            [ $((SECONDS - began_s)) -gt 60 ] && wait_s=1
        else
            say warning "npm failed: no WhatsApp for now"
        fi
        sleep "$wait_s"
        wait_s=$((wait_s < 30 ? wait_s * 2 : 60))
    done
}

guard_sidecar "$$" &

export PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}"
# An environment that script/serve made, if there is one.
python=python3
for candidate in .venv-3.1[1-3]/bin/python .venv/bin/python; do
    [ -x "$candidate" ] && python=$candidate && break
done
exec "$python" -m uvicorn asgi:app --host "${HOST:-0.0.0.0}" --port "${PORT:-8000}" \
    --timeout-keep-alive 75 --access-log --log-level info --loop uvloop --http httptools \
    --ws voiceagent.web.websocket_protocol:TwilioWebSocketProtocol \
    --ws-ping-interval 10 --ws-ping-timeout 20 --ws-max-size 65536 --ws-per-message-deflate false
