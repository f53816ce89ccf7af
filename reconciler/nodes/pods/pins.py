"""Parts of volumes, and host paths below an exception, held by what they are: no name that a pod can change is
resolved twice.

Docker resolves the source of a mount at every start of a container, so a pod that writes in a volume could put a
link there meanwhile. Therefore each such source is *pinned*: resolved once, bind-mounted into a directory that
only root can enter, and compared with what is at its name. Docker is given that directory. It is in memory:
after a reboot nothing is there, and Docker refuses to start the container until the pins were made again.

On a host, for the mount number N of a container:

- `/var/lib/reconciler/<cluster>/pins/<uid>/<container>/<N>`, a *record* of how to find it, a step a line. A step
  is a path below what the one before it led to (the first: below /), and may not leave that, nor by a link.
  Before the path is what happens where nothing is. `find`, `sub-found`: refused; `make`: directories of root's;
  `file`: an empty file; `sub`: directories with the owner and mode of the volume. The `sub` ones are of a
  subPath. `kind` after a step is the type of file that must be there, and `end` is the last line.
- `/run/reconciler/<cluster>/pins/<uid>/<container>/.<N>`, where it is mounted, and `<N>`, a link to that, which
  is there only while the mount is known to be right: the source that Docker knows.

SCRIPT does all of it. Its words: the cluster's directory in memory, the one on disk, and

- `all`: whatever has a record and no pin gets it. To be run after a boot, before containers are started; it
  needs no master, and nothing but sh, coreutils and util-linux.
- `new UID CONTAINER RECORD…`: these records are kept, and pinned anew.
- `some UID CONTAINER N…`: those that have no pin get it.
- `none UID [CONTAINER]`: unmounts and forgets them.

It says a line for each, with tabs between: `pinned` or `failed`, `UID/CONTAINER/N`, and where it failed the
reason, the step of the record, its path, the directory above, and what was found. `left` is a pin without a
record.
"""

from typing import Final

SCRIPT: Final = r"""
set -u
export LC_ALL=C
umask 077
memory=$1 disk=$2 what=$3
shift 3
pins=$memory/pins records=$disk/pins tab='	' line_break='
'

own_memory() {
    [ ! -e "$pins/.own" ] || return 0
    mkdir -p "$memory"
    mountpoint -q "$memory" || mount -t tmpfs -o mode=0755,nosuid,nodev tmpfs "$memory" || exit 1
    mkdir -p "$pins"
    # A bind mount of / would contain every pin, with those of / in them, and so on.
    mount -t tmpfs -o mode=0700,nosuid,nodev tmpfs "$pins" && mount --make-unbindable "$pins" || exit 1
    : >"$pins/.own"
}
say() {
    for word; do
        case $word in *"$tab"* | *"$line_break"*) word='(a name with line breaks)' ;; esac
        printf '%s\t' "$word"
    done
    echo
}
refuse() {
    say failed "$name" "$1" "$how" "$part" "$above" "$2"
    exit 1
}
# Where we are is asked of the kernel: what a name led to a moment ago is no answer. The root is the empty word.
enter() {
    cd -P -- "$1" 2>/dev/null || refuse moved "$1"
    real=$(readlink -n /proc/self/cwd && echo /) || refuse moved "$1"
    real=${real%/}
    [ "$real" != / ] || real=
    case $real/ in "$above"/*) ;; *) refuse outside "${real:-/}" ;; esac
}
# From where we are to $part below it, by $how. $last: what is there, where it is no directory.
descend() {
    above=$real
    if [ -d "./$part" ]; then
        if [ -n "$begun" ]; then
            enter "./$part"
        else
            # No pod can change how the first step leads here: the shell may say itself where that is.
            cd -P -- "./$part" 2>/dev/null || refuse moved "$part"
            real=${PWD%/}
        fi
        return
    fi
    like=
    [ "$how" != sub ] || like=$(stat -c '%u:%g %a' .) || refuse moved "$part"
    rest=$part
    while [ -n "$rest" ]; do
        step=${rest%%/*} rest=${rest#"${rest%%/*}"}
        while [ "$rest" != "${rest#/}" ]; do rest=${rest#/}; done
        case $step in '' | .) continue ;; ..) refuse outside .. ;; esac
        if [ -d "./$step" ]; then
            enter "./$step"
        elif [ -e "./$step" ] || [ -L "./$step" ]; then
            [ -z "$rest" ] || refuse nothing "$part"
            last=$step
        elif [ "$how" = file ] && [ -z "$rest" ]; then
            # Made, or not opened at all: a link or a pipe that is there by now stays what it is.
            said=$(umask 022 && dd if=/dev/null of="./$step" conv=excl status=none 2>&1) || [ -e "./$step" ] ||
                refuse making "$said"
            last=$step
        elif [ "$how" = make ] || [ "$how" = sub ]; then
            parent=$real made=1
            said=$(mkdir -m 0755 -- "./$step" 2>&1) || made=
            [ -d "./$step" ] || refuse making "$said"
            enter "./$step"
            if [ -n "$made" ] && [ -n "$like" ]; then
                [ "$real" = "$parent/$step" ] || refuse moved "$part"
                chown -- "${like% *}" . && chmod -- "${like#* }" . || refuse moved "$part"
            fi
        else
            refuse nothing "$part"
        fi
    done
    hops=0
    while [ -n "$last" ] && [ -L "./$last" ]; do
        hops=$((hops + 1))
        [ "$hops" -le 40 ] || refuse nothing "$part"
        link=$(readlink -n -- "./$last" && echo /) || refuse moved "$part"
        link=${link%/}
        last=${link##*/}
        case $link in
            /*) enter "${link%/*}/" ;;
            */*) enter "./${link%/*}" ;;
        esac
        if [ -d "./$last" ]; then
            enter "./$last"
            last=
        fi
    done
    [ -z "$last" ] || [ -e "./$last" ] || refuse nothing "$part"
}
# A mount that other mounts still listen to would take theirs with it when it goes.
detach() {
    rm -f -- "${1%/*}/${1##*/.}"
    while mount --make-rprivate "$1" 2>/dev/null; do
        umount -R -l "$1" || return 1
    done
    if [ -d "$1" ]; then rmdir "$1"; else rm -f -- "$1"; fi
}
# Mounted first, and compared with what has its name then: a link that was put there meanwhile is another inode.
attach() {
    at=$pins/${name%/*}/.${name##*/}
    if [ "$what" != new ] && [ -e "$at" ]; then detach "$at" || refuse mount "$at"; fi
    [ -d "$at" ] || mkdir -p "$at"
    source=.
    if [ -n "$last" ]; then
        source=./$last
        rmdir "$at" && : >"$at"
    fi
    said=$(mount -c --rbind --make-rslave "$source" "$at" 2>&1) || { detach "$at"; refuse mount "$said"; }
    both=
    if [ -n "$last" ]; then
        both=$(stat -c '%d:%i' -- "$source" "$at" 2>/dev/null) || both=
    elif [ . -ef "$at" ]; then
        both=$at$line_break$at
    fi
    if [ -z "$both" ] || [ "${both%"$line_break"*}" != "${both#*"$line_break"}" ]; then
        detach "$at"
        refuse moved "$part"
    fi
    if [ -n "$kind" ]; then
        found=$(stat -c %F -- "$at")
        case $found in
            "$kind" | "${kind% *} empty ${kind#* }") ;;
            *) detach "$at"; refuse "kind $kind" "$found" ;;
        esac
    fi
    ln -s -- ".${name##*/}" "${at%/*}/${name##*/}"
}
pin() (
    name=$1 begun='' kind='' last='' real='' whole='' how='' part='' above=''
    cd /
    while IFS= read -r line <&3; do
        case $line in
            'kind '*)
                kind=${line#* }
                if [ -z "$last" ] && [ "$kind" != directory ]; then refuse "kind $kind" directory; fi
                ;;
            end) whole=1 ;;
            *)
                how=${line%% *} part=${line#* }
                [ -z "$last" ] || refuse nothing "$part"
                kind=
                descend
                begun=1
                ;;
        esac
    done 3<"$records/$name"
    [ -n "$whole" ] || refuse record "$records/$name"
    attach
    say pinned "$name"
)
is_there() {
    [ -L "$pins/$1" ] || return 1
    at=$pins/${1%/*}/.${1##*/}
    case $mounted in
        *"//deleted $at "*) return 1 ;;
        *" $at "*) ;;
        *) return 1 ;;
    esac
}
look() {
    mounted=$(grep -F -e " $pins/" /proc/self/mountinfo)
}
keep() {
    if is_there "$1"; then
        say pinned "$1"
    elif [ -e "$records/$1" ]; then
        pin "$1"
    else
        name=$1
        say failed "$1" record '' '' '' "$records/$1"
    fi
}

case $what in
    all | none) [ -d "$records" ] || [ -d "$pins" ] || exit 0 ;;
esac
[ -d "$disk" ] || mkdir -p -m 0755 "$disk"
exec 9>"$disk/.pins.lock"
flock -w 8 9 || exit 1
case $what in
    all)
        own_memory
        look
        for record in "$records"/*/*/[0-9]*; do
            [ ! -e "$record" ] || keep "${record#"$records/"}"
        done
        for at in "$pins"/*/*/.[0-9]*; do
            name=${at#"$pins/"}
            name=${name%/*}/${name##*/.}
            [ ! -e "$at" ] || [ -e "$records/$name" ] || say left "$name"
        done
        ;;
    new)
        uid=$1 container=$2 number=0
        shift 2
        own_memory
        for at in "$pins/$uid/$container"/.[0-9]*; do
            [ ! -e "$at" ] || detach "$at" || exit 1
        done
        # The rest of the words are as many as there are pins to be made.
        places=
        for record; do
            places="$places $pins/$uid/$container/.$number"
            number=$((number + 1))
        done
        # No place has a space in its name.
        mkdir -p "$records/$uid/$container" $places
        number=0
        for record; do
            printf '%s' "$record" >"$records/$uid/$container/$number"
            pin "$uid/$container/$number" || exit 0
            number=$((number + 1))
        done
        ;;
    some)
        uid=$1 container=$2
        shift 2
        own_memory
        look
        for number; do
            keep "$uid/$container/$number"
        done
        ;;
    none)
        for at in "$pins/$1"/${2:-*}/.[0-9]*; do
            [ ! -e "$at" ] || detach "$at" || exit 1
        done
        for at in "$pins/$1"/${2:-*}; do
            [ ! -d "$at" ] || rmdir "$at"
        done
        rm -rf --one-file-system -- "$records/$1${2:+/$2}"
        rmdir -- "$pins/$1" "$records/$1" 2>/dev/null || :
        ;;
esac
exit 0
"""
