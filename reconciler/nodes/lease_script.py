"""What runs on a host to take, renew, release or prove its lease: one script of sh, each time under one lock.

The lease is the file `lease` in the cluster's directory on disk, so that an epoch outlives a boot: epoch, owner,
until when (seconds of the host's own uptime, 0: released), the boot that those are of, the holder's process, and
the holder in words.

A program that may change the host is started by `prove`: the environment names its lease from its first moment on,
and children inherit that. Whoever takes the lease with a higher epoch first writes it, then ends every process
with an older mark, and holds the lease only when none is left. A `prove` that comes later finds the new epoch and
starts nothing, so from then on no effect of the older holder begins. Processes of containers are never touched:
they are in other PID namespaces.
"""

from collections.abc import Sequence
from typing import Final

from reconciler.model.leases import Claim, HostLease
from reconciler.model.names import disk_directory, memory_directory

MARK: Final = "RECONCILER_LEASE"
"""The variable in the environment of every process that acts under a lease: `<cluster>/<owner>/<epoch>`."""

_SCRIPT: Final = r"""
verb=$1 disk=$2 memory=$3 pattern=$4 owner=$5 epoch=$6 seconds=$7 force=$8 process=$9
shift 9
holder=$1
shift
say() {
    printf '%s\n' "$1"
    cat /proc/uptime /proc/sys/kernel/random/boot_id
    [ ! -e "$disk/lease" ] || cat "$disk/lease"
}
write() {
    printf '%s %s %s %s %s %s\n' "$epoch" "$owner" "$1" "$boot" "$process" "$holder" >"$disk/lease.new" || exit 74
    [ "$verb" = renew ] || sync "$disk/lease.new"
    mv -f "$disk/lease.new" "$disk/lease" || exit 74
}
sever() {
    tries=0
    while
        found=
        for environment in $(grep -lsz "^RECONCILER_LEASE=$pattern/" /proc/[0-9]*/environ); do
            old=${environment%/environ}
            [ "$old/ns/pid" -ef /proc/self/ns/pid ] || continue
            kill -9 "${old#/proc/}" 2>/dev/null && found="$found ${old#/proc/}"
        done
        [ -n "$found" ]
    do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ]; then
            printf 'processes of the holder before do not end:%s\n' "$found" >&2
            exit 75
        fi
        sleep 0.02
    done
}
{ [ -d "$memory" ] && [ -d "$disk" ]; } || mkdir -p "$memory" "$disk" || exit 74
exec 9>>"$memory/lease.lock" || exit 74
flock -w 5 9 || { echo 'the lock of the lease is held by another process' >&2; exit 75; }
e=0 o=- until=0 b=-
[ ! -r "$disk/lease" ] || read -r e o until b rest <"$disk/lease" || :
case ${e:-x}${until:-x} in *[!0-9]*) e=0 o=- until=0 b=- ;; esac
read -r up rest </proc/uptime
read -r boot </proc/sys/kernel/random/boot_id
up=${up%%.*}
mine=
[ "$e" -ne "$epoch" ] || [ "$o" != "$owner" ] || mine=1
case $verb in
    prove)
        if [ -n "$mine" ]; then
            exec 9>&-
            printf '+\n'
            exec "$@"
        fi
        say -
        ;;
    take)
        if [ "$epoch" -lt "$e" ] || { [ "$epoch" -eq "$e" ] && [ -z "$mine" ]; }; then
            say refused
        elif [ "$o" != "$owner" ] && [ "$force" != 1 ] && [ "$b" = "$boot" ] && [ "$until" -gt "$up" ]; then
            say refused
        else
            write $((up + seconds))
            [ "$epoch" -eq "$e" ] || sever
            say granted
        fi
        ;;
    renew)
        [ -z "$mine" ] || write $((up + seconds))
        say "${mine:+granted}"
        ;;
    release)
        [ -z "$mine" ] || write 0
        say released
        ;;
esac
"""
_LOOK: Final = ("cat", "/proc/loadavg", "/proc/uptime", "/proc/sys/kernel/random/boot_id")


def lease_command(verb: str, cluster: str, claim: Claim, program: Sequence[str] = ()) -> tuple[str, ...]:
    """`take`, `renew` or `release` a lease, or `prove` it and become the program."""
    words = (
        verb,
        disk_directory(cluster),
        memory_directory(cluster),
        cluster.replace(".", r"\."),
        claim.owner,
        str(claim.epoch),
        f"{claim.seconds:.0f}",
        str(int(claim.take_over)),
        claim.process,
        claim.holder,
    )
    return ("sh", "-c", _SCRIPT, "reconciler-lease", *words, *program)


def marked(cluster: str, claim: Claim, command: Sequence[str]) -> tuple[str, ...]:
    """The command in an environment that says whose it is."""
    return ("env", f"{MARK}={cluster}/{claim.owner}/{claim.epoch}", *command)


def look_command(cluster: str) -> tuple[str, ...]:
    """Load average and lease in one call; exits 1 where there is no lease."""
    return (*_LOOK, f"{disk_directory(cluster)}/lease")


def read_lease(lines: Sequence[str]) -> HostLease | None:
    """From the lines of uptime, boot and, where there is one, the lease. None: there is none that makes sense."""
    if len(lines) < 3:
        return None
    epoch, owner, until, boot, process, holder = (lines[2].split(" ", 5) + [""] * 6)[:6]
    if not (epoch.isdigit() and until.isdigit() and owner):
        return None
    left = int(until) - float(lines[0].split()[0]) if boot == lines[1].strip() else 0.0
    return HostLease(owner, int(epoch), holder.strip(), max(0.0, left), int(until) == 0, process)
