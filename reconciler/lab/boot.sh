# The init of one lab host: runs as process 1 of new mount, UTS, IPC and PID namespaces (see host.py).
# $0 is the mark that processes.py looks for, $1 the host's name, $2 the lab's directory, $3 the host's disk.
set -eu
disk=$3
hostname "$1"
# Copies of other hosts' network namespaces would keep those alive after their end.
umount -R -l /run/netns 2>/dev/null || true
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/lock
grep -q ' - cgroup' /proc/self/mountinfo || mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t overlay -o "lowerdir=/etc,upperdir=$disk/etc,workdir=$disk/overlay" overlay /etc
mount --bind "$disk/root" /root
mount --bind "$disk/lib" /var/lib
cd /
: >/run/booted
# Wait for ever, and reap what other processes leave behind.
while :; do
    sleep 86400 &
    wait $! || true
done
