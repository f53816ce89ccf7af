#!/bin/sh
# Answers every GET with the pod's name, its version and a message.
# PORT (8080), MESSAGE (hello). /healthz says ok; /slow answers the same, over about five seconds.
set -eu
port=${PORT:-8080}
case $port in *[!0-9]*) echo "web: PORT must be a number, not '$port'" >&2; exit 1 ;; esac
if [ "$VERSION" = broken ]; then
    echo "web: this version is broken on purpose" >&2
    exit 1
fi
work=/tmp/web
mkdir -p "$work"
printf 'pod=%s version=%s message=%s\n' "$(hostname)" "$VERSION" "${MESSAGE:-hello}" >"$work/body"
sed -e "s/@PORT@/$port/" -e 's,@TYPE@,text/plain,' /etc/lab/site.conf >"$work/nginx.conf"
echo "web: version $VERSION listening on port $port"
. /etc/lab/serve.sh
