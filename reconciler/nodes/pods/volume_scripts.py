"""The shell scripts that are run on a host for the volumes of its pods, now and at its next boot."""

import shlex
from collections.abc import Sequence
from typing import Final

_OWN_MEMORY: Final = """\
set -eu
umask 077
own_memory() {
    mkdir -p "$1"
    mountpoint -q "$1" || mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$1"
    mkdir -p "$1/pods" "$1/pods/$2"
}
"""
WRITE_FILES: Final = (
    _OWN_MEMORY
    + """\
memory=$1 uid=$2 volume=$3 data=..$4
shift 4
own_memory "$memory" "$uid"
mkdir -p "$memory/pods/$uid/$volume"
cd "$memory/pods/$uid/$volume"
chmod 0755 .
if [ "$(readlink ..data || true)" != "$data" ] || [ ! -d "$data" ]; then
    rm -rf ..writing "$data"
    mkdir -m 0755 ..writing
    tar -x -p --same-owner -C ..writing -f -
    mv -T ..writing "$data"
    rm -f ..data_tmp
    ln -s "$data" ..data_tmp
    mv -T ..data_tmp ..data
fi
for name; do
    [ -L "./$name" ] || ln -s "..data/$name" "./$name"
done
for found in ./* ./.[!.]*; do
    if [ -L "$found" ] && [ ! -e "$found" ]; then rm -f "$found"; fi
done
for found in ./..?*; do
    case $found in
        ./..data | "./$data") ;;
        *) rm -rf "$found" ;;
    esac
done
"""
)
MAKE_ON_DISK: Final = """\
set -eu
umask 077
disk=$1 uid=$2 volume=$3 mode=$4 group=$5
mkdir -p -m 0755 "$disk" "$disk/pods"
mkdir -p "$disk/pods/$uid"
cd "$disk/pods/$uid"
[ ! -d "$volume" ] || exit 0
rm -rf "..$volume"
mkdir "..$volume"
chgrp "$group" "..$volume"
chmod "$mode" "..$volume"
mv -T "..$volume" "$volume"
"""
MAKE_IN_MEMORY: Final = (
    _OWN_MEMORY
    + """\
memory=$1 uid=$2 volume=$3 options=$4
own_memory "$memory" "$uid"
mkdir -p "$memory/pods/$uid/$volume"
mountpoint -q "$memory/pods/$uid/$volume" || mount -t tmpfs -o "$options" tmpfs "$memory/pods/$uid/$volume"
"""
)
# What makes a volume again after a boot; beside the new one until it is whole.
KEEP_FOR_BOOT: Final = """\
set -eu
mkdir -p -m 0755 "${1%/*}"
umask 077
mkdir -p "$1/volumes/$2"
cd "$1/volumes/$2"
rm -rf .new
mkdir .new
tar -x -m -C .new
mv -f .new/* .
rmdir .new
"""
# Deleting may take longer than a shell can be waited for: out of the way first, then for good, in the background.
REMOVE_ALL: Final = """\
set -eu
umask 077
memory=$1 disk=$2 uid=$3
below=$(cut -d' ' -f2 /proc/mounts | grep -F -e "$memory/pods/$uid/" -e "$disk/pods/$uid/" | sort -r || true)
for mounted in $below; do
    case $mounted in
        "$memory/pods/$uid/"* | "$disk/pods/$uid/"*) umount "$mounted" || umount -l "$mounted" ;;
    esac
done
rm -rf --one-file-system -- "$memory/pods/$uid" "$disk/boot/volumes/$uid" "$disk/boot/pods/$uid.json"
if [ -d "$disk/pods/$uid" ]; then
    rm -rf --one-file-system -- "$disk/.removing-$uid"
    mv -T "$disk/pods/$uid" "$disk/.removing-$uid"
fi
setsid rm -rf --one-file-system -- "$disk"/.removing-* </dev/null >/dev/null 2>&1 &
"""
LIST_ALL: Final = """\
find "$1/pods" -xdev -mindepth 1 -maxdepth 3 \\( -type d -o -name ..data \\) -printf '%y %P %l\\n' 2>/dev/null
find "$2/pods" "$1/pins" "$2/pins" -mindepth 1 -maxdepth 1 -type d -printf 'd %P \\n' 2>/dev/null
cut -d' ' -f2 /proc/mounts | grep -F "$1/pods/" | sed 's/^/m /'
find "$2/boot/volumes" -mindepth 2 -maxdepth 2 -name '*.*' ! -name '*.sh' -printf 'k %P \\n' 2>/dev/null
:
"""


def volume_script(script: str, words: Sequence[str]) -> str:
    """Join one of these scripts with its arguments, to be run again after a boot."""
    return f"set -- {shlex.join(words)}\n{script}"
