#!/bin/sh
# `make demo` and `make demo-down`: the tutorial, typed for you.
set -eu
action=$1
dir=$2
reconciler=.venv/bin/reconciler
lab=${RECONCILER_LAB_DIR:-/var/lib/reconciler-lab}

up() {
    mkdir -p "$dir"
    "$reconciler" lab up --yes --repo "$dir/shop" >/dev/null
    host=$("$reconciler" lab status | sed -n 's/^node-1 .*@\([0-9.]*\):.*/\1/p')
    url=http://$host:30080/
    use="--ssh-key $lab/keys/client --state $dir/state"
    if ! running; then
        # shellcheck disable=SC2086
        nohup "$reconciler" run --git "$dir/shop" $use >"$dir/run.log" 2>&1 &
        echo $! >"$dir/pid"
    fi
    echo "waiting until the shop is complete and answers at $url"
    tries=0
    until complete && curl -fsS --noproxy '*' --max-time 2 "$url" >/dev/null 2>&1; do
        tries=$((tries + 1))
        running || { echo "the reconciler ended:" >&2; tail -20 "$dir/run.log" >&2; exit 1; }
        [ "$tries" -lt 240 ] || { echo "it is not within two minutes; its log, $dir/run.log, ends:" >&2
                                  tail -20 "$dir/run.log" >&2; exit 1; }
        sleep 0.3
    done
    echo
    "$reconciler" get pods -n shop -o wide --state "$dir/state"
    echo
    for _ in 1 2 3 4; do curl -fsS --noproxy '*' --max-time 2 "$url"; done
    cat <<END

Ask it again and again  while sleep 0.3; do curl -s $url; done
In another terminal:
  Change what runs      sed -i s/web:1.0/web:2.0/ $dir/shop/shop/web.yaml && git -C $dir/shop commit -qam 'web 2.0'
  What happened         tail $dir/run.log
  Edit, don't commit    sed -i 's/replicas: 4/replicas: 6/' $dir/shop/shop/web.yaml
  What it would do      $reconciler diff $dir/shop $use
  Pull a cable          $reconciler lab node cut node-2    (a few seconds later its pods run elsewhere)
  Plug it in again      $reconciler lab node heal node-2
  Remove everything     make demo-down
END
}

# True when every replica of every Deployment is available.
complete() {
    "$reconciler" get deployments -n shop --state "$dir/state" 2>/dev/null |
        awk 'NR > 1 { split($2, n, "/"); seen = 1; if (n[1] != n[2]) short = 1 } END { exit !seen || short }'
}

# True while the process that this script started is still the reconciler (a process id can be used again).
running() {
    [ -f "$dir/pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$dir/pid")/cmdline" | grep -q 'reconciler run'
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
