"""What runs on a host to take, renew, release or prove its lease: one script of sh, each time under one lock.

The lease is a line: epoch, owner, until when (seconds of the host's own uptime, 0: released), the boot that those
are of, the holder's process, and the holder in words. It is in a directory of its own in memory, where it is
renewed, and in the cluster's on disk, so that an epoch outlives a boot; of the two the higher epoch counts. A
disk that is full or broken keeps nobody from leading. The directory in memory has the lock, too, and is root's
alone: whoever can open a lock can hold it.

A program that may change the host is started by `prove`: the environment names its lease from its first moment on,
and children inherit that. Whoever takes the lease with a higher epoch first writes it, then ends every process
with an older mark, and holds the lease only when none is left. A `prove` that comes later finds the new epoch and
starts nothing, so from then on no effect of the older holder begins. Processes of containers are never touched:
they are in other PID namespaces.
"""

from collections.abc import Sequence
from typing import Final

from reconciler.model.leases import Claim, HostLease
from reconciler.model.names import disk_directory, lease_directory

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
    cat "$memory/lease" "$disk/lease" 2>/dev/null || :
}
write_to() {
    printf '%s %s %s %s %s %s\n' "$epoch" "$owner" "$until" "$boot" "$process" "$holder" >"$1/lease.new" &&
        { [ "$1" = "$memory" ] || sync "$1/lease.new"; } && mv -f "$1/lease.new" "$1/lease"
}
write() {
    until=$1
    write_to "$memory" || exit 74
    [ "$verb" = renew ] || write_to "$disk" 2>/dev/null || :
}
sever() {
    tries=0
    while
        found=
        for environment in $(grep -lsz "^RECONCILER_LEASE=$pattern/" /proc/[0-9]*/environ); do
            old=${environment%/environ}
            [ "$old/ns/pid" -ef /proc/self/ns/pid ] || continue
            ! grep -qszx "RECONCILER_LEASE=$pattern/$owner/$epoch" "$environment" || continue
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
[ -d "$memory" ] || (umask 077 && mkdir -p "$memory") || exit 74
[ -d "$disk" ] || mkdir -p "$disk" 2>/dev/null || :
exec 9>>"$memory/lease.lock" || exit 74
flock -w 5 9 || { echo 'the lock of the lease is held by another process' >&2; exit 75; }
e=0 o=- until=0 b=-
for directory in "$disk" "$memory"; do
    [ -r "$directory/lease" ] && read -r found_e found_o found_until found_b rest <"$directory/lease" || continue
    case ${found_e:-x}${found_until:-x} in *[!0-9]*) continue ;; esac
    [ "$found_e" -lt "$e" ] || e=$found_e o=$found_o until=$found_until b=$found_b
done
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
            sever
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
        lease_directory(cluster),
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
    return (*_LOOK, f"{lease_directory(cluster)}/lease", f"{disk_directory(cluster)}/lease")


def read_lease(lines: Sequence[str]) -> HostLease | None:
    """Read a lease from the lines of uptime, boot, and the lease in memory and on disk, if they are there.

    None: there is none that makes sense.
    """
    if len(lines) < 3:
        return None
    up, boot = float(lines[0].split()[0]), lines[1].strip()
    found = [lease for line in lines[2:] if (lease := _read_line(line, up, boot)) is not None]
    return max(found, key=lambda lease: lease.epoch, default=None)  # Of two alike the first one, in memory.


def _read_line(line: str, up: float, boot: str) -> HostLease | None:
    epoch, owner, until, of_boot, process, holder = (line.split(" ", 5) + [""] * 6)[:6]
    if not (epoch.isdigit() and until.isdigit() and owner):
        return None
    left = int(until) - up if of_boot == boot else 0.0
    return HostLease(owner, int(epoch), holder.strip(), max(0.0, left), int(until) == 0, process)
