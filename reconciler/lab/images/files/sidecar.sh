#!/bin/sh
# Passes every request to another container of its pod over localhost, and says so in a header.
# PORT (9091), UPSTREAM_PORT (9090). /healthz says ok, whatever the other container does.
set -eu
port=${PORT:-9091}
upstream=${UPSTREAM_PORT:-9090}
case $port$upstream in
*[!0-9]*) echo "sidecar: PORT and UPSTREAM_PORT must be numbers, not '$port' and '$upstream'" >&2; exit 1 ;;
esac
work=/tmp/sidecar
mkdir -p "$work"
sed -e "s/@PORT@/$port/" -e "s/@UPSTREAM_PORT@/$upstream/" /etc/lab/sidecar.conf >"$work/nginx.conf"
echo "sidecar: listening on port $port, passing on to localhost:$upstream"
. /etc/lab/serve.sh
