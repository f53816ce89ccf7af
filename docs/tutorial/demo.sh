#!/bin/sh
# `make demo` and `make demo-down`: the tutorial, typed for you.
set -eu
action=$1
dir=$2
reconciler=.venv/bin/reconciler
key=${RECONCILER_LAB_DIR:-/var/lib/reconciler-lab}/keys/client
url=http://10.77.0.11:30080/

up() {
    mkdir -p "$dir"
    "$reconciler" lab up --yes --repo "$dir/shop"
    if ! running; then
        nohup "$reconciler" run --git "$dir/shop" --ssh-key "$key" --state "$dir/state" >"$dir/run.log" 2>&1 &
        echo $! >"$dir/pid"
    fi
    echo "waiting for $url"
    tries=0
    until curl -fsS --max-time 2 "$url" >"$dir/answer" 2>/dev/null; do
        tries=$((tries + 1))
        running || { echo "the reconciler ended:" >&2; tail -20 "$dir/run.log" >&2; exit 1; }
        [ "$tries" -lt 240 ] || { echo "no answer within 2 minutes; see $dir/run.log" >&2; exit 1; }
        sleep 0.5
    done
    "$reconciler" get pods -n shop -o wide --state "$dir/state"
    echo
    for _ in 1 2 3 4; do curl -fsS --max-time 2 "$url"; done
    cat <<END

The shop answers at   $url
What happens          tail -f $dir/run.log
Change something      sed -i s/web:1.0/web:2.0/ $dir/shop/shop/web.yaml && git -C $dir/shop commit -qam 'web 2.0'
See it                watch -n 0.3 curl -s $url
What would change     $reconciler diff $dir/shop --ssh-key $key --state $dir/state
Pull a cable          $reconciler lab node cut node-2    (and: heal)
Remove everything     make demo-down
END
}

# True while the process that this script started is still the reconciler (a process id can be used again).
running() {
    [ -f "$dir/pid" ] && tr '\0' ' ' <"/proc/$(cat "$dir/pid")/cmdline" 2>/dev/null | grep -q 'reconciler run'
}

down() {
    if running; then
        kill "$(cat "$dir/pid")"
        tries=0
        while running && [ "$tries" -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
    fi
    "$reconciler" lab down
    rm -rf "$dir"
}

case $action in
up) up ;;
down) down ;;
*) echo "usage: demo.sh up|down DIR" >&2; exit 2 ;;
esac
