# Runs on a lab host between tests, after its containers, networks and volumes are gone: removes what else a
# reconciler left there, whichever version of it. Routes, rules, addresses and links by not being Docker's or the lab's.
set -eu
export LC_ALL=C

ip -4 route show table main | grep -v 'proto kernel' |
    sed 's/ linkdown//; s/ dead//; s/ *$//' | xargs -r -L1 ip route del || true
ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | grep -vxE 'lo|eth0|docker0|br-[0-9a-f]+|veth[0-9a-f]+' |
    xargs -r -L1 ip link del || true
ip -o -4 addr show dev lo | sed 's/.* inet \([^ ]*\).*/\1/' | grep -vxF '127.0.0.1/8' |
    xargs -r -I{} ip addr del {} dev lo || true

for table in filter nat mangle; do
    own=$(iptables -w 5 -t "$table" -S | sed -n 's/^-N //p' | grep -v '^DOCKER') || continue
    for chain in $own; do
        iptables -w 5 -t "$table" -F "$chain"
    done
    rules=$(iptables -w 5 -t "$table" -S)
    for chain in $own; do
        printf '%s\n' "$rules" | grep -E -- "^-A .* (-j|-g) $chain( |\$)" | sed 's/^-A/-D/' |
            xargs -r -L1 iptables -w 5 -t "$table"
    done
    for chain in $own; do
        # On a busy machine the kernel may not have let go of the rules yet.
        iptables -w 5 -t "$table" -X "$chain" || { sleep 1 && iptables -w 5 -t "$table" -X "$chain"; }
    done
done
iptables -w 5 -F DOCKER-USER
iptables -w 5 -A DOCKER-USER -j RETURN

for pins in /run/reconciler/*/pins; do
    if mountpoint -q "$pins"; then mount --make-rprivate "$pins" && umount -R -l "$pins"; fi
done
cut -d' ' -f2 /proc/mounts | grep '^/run/reconciler/' | sort -r | xargs -r -n1 umount
rm -rf /var/lib/reconciler /run/reconciler /run/reconciler-leases
