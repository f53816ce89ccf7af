# Runs on a lab host between tests: removes what a reconciler left there, whichever version of it.
# Containers, networks and volumes by label; routes, rules, addresses and links by not being Docker's or the lab's.
set -eu
export LC_ALL=C
label=label=reconciler.dev/cluster
# A removal that a reconciler began goes on in Docker after its end: another one is refused until it is through.
tries=0
while left=$(docker ps --all --quiet --filter "$label") && [ -n "$left" ]; do
    printf '%s\n' "$left" | xargs docker rm --force --volumes >/dev/null && continue
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || exit 1
    sleep 0.2
done
docker network ls --quiet --filter "$label" | xargs -r docker network rm >/dev/null
docker volume ls --quiet --filter "$label" | xargs -r docker volume rm --force >/dev/null

ip -4 route show table main | grep -v 'proto kernel' |
    sed 's/ linkdown//; s/ dead//; s/ *$//' | xargs -r -L1 ip route del || true
ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | grep -vxE 'lo|eth0|docker0|br-[0-9a-f]+|veth[0-9a-f]+' |
    xargs -r -L1 ip link del || true
ip -o -4 addr show dev lo | sed 's/.* inet \([^ ]*\).*/\1/' | grep -vxF '127.0.0.1/8' |
    xargs -r -I{} ip addr del {} dev lo || true

for table in filter nat mangle; do
    own=$(iptables -w 5 -t "$table" -S | sed -n 's/^-N //p' | grep -v '^DOCKER' || true)
    for chain in $own; do
        iptables -w 5 -t "$table" -F "$chain"
    done
    rules=$(iptables -w 5 -t "$table" -S)
    for chain in $own; do
        printf '%s\n' "$rules" | grep -E -- "^-A .* (-j|-g) $chain( |\$)" | sed 's/^-A/-D/' |
            xargs -r -L1 iptables -w 5 -t "$table"
    done
    for chain in $own; do
        iptables -w 5 -t "$table" -X "$chain"
    done
done
iptables -w 5 -F DOCKER-USER
iptables -w 5 -A DOCKER-USER -j RETURN

for pins in /run/reconciler/*/pins; do
    if mountpoint -q "$pins"; then mount --make-rprivate "$pins" && umount -R -l "$pins"; fi
done
cut -d' ' -f2 /proc/mounts | grep '^/run/reconciler/' | sort -r | xargs -r -n1 umount
rm -rf /var/lib/reconciler /run/reconciler /run/reconciler-leases
