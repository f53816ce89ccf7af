#!/bin/sh
# Answers every GET with JSON: the pod's name, its version and a greeting.
# PORT (9090), GREETING (hello), API_TOKEN (must be set; it is never shown). /healthz says ok.
set -eu
port=${PORT:-9090}
case $port in *[!0-9]*) echo "api: PORT must be a number, not '$port'" >&2; exit 1 ;; esac
if [ -z "${API_TOKEN:-}" ]; then
    echo "api: API_TOKEN is not set; take it from a Secret" >&2
    exit 1
fi
json() { printf %s "$1" | tr -d '\000-\037' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'; }
work=/tmp/api
mkdir -p "$work"
printf '{"pod": "%s", "version": "%s", "greeting": "%s"}\n' \
    "$(hostname)" "$VERSION" "$(json "${GREETING:-hello}")" >"$work/body"
sed -e "s/@PORT@/$port/" -e 's,@TYPE@,application/json,' /etc/lab/site.conf >"$work/nginx.conf"
echo "api: version $VERSION listening on port $port"
. /etc/lab/serve.sh
