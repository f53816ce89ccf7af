# Sourced by web, api and sidecar after they wrote $work/nginx.conf: run nginx until it ends.
# SIGTERM lets running requests finish, which nginx itself does on SIGQUIT only.
nginx -p "$work" -c "$work/nginx.conf" &
server=$!
trap 'kill -QUIT "$server" 2>/dev/null || true' TERM INT QUIT
code=0
while kill -0 "$server" 2>/dev/null; do
    wait "$server" && code=0 || code=$?
done
exit "$code"
