#!/bin/sh
# Leaves the image that the tests of multi-node jobs run, longshore-test/openmpi:1, on the engine that the docker client
# reaches: OpenMPI, Python and what they need, as this Debian machine has them installed. Nothing is pulled. Prints the
# image's name; safe to repeat. Needs the docker client, tar and the packages openmpi-bin and python3.
set -eu

image=longshore-test/openmpi:1
if ! docker image inspect "$image" >/dev/null 2>&1; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
        --no-enhances openmpi-bin python3 dash coreutils libc-bin base-files base-passwd |
        grep '^[a-z0-9]' | sort -u >"$work/packages"
    # A package that is only named by others may not be here; of those that are, everything but the manuals.
    xargs -n1 dpkg-query --listfiles <"$work/packages" 2>/dev/null |
        sed 's#^/\(bin\|sbin\|lib\|lib64\)/#/usr/\1/#' |
        grep -v -e '^/\.$' -e '^/usr/share/\(doc\|man\|locale\|info\|lintian\)/' -e '^/var/lib/dpkg' -e diverted |
        sort -u >"$work/listed"
    {
        cat "$work/listed"
        printf '%s\n' /bin /sbin /lib /lib64 /etc/alternatives /usr/bin/mpirun
        find /etc/alternatives -name 'mpi*'
        echo /etc/passwd
        echo /etc/group
        echo /etc/ld.so.cache
    } | while read -r path; do [ -e "$path" ] && echo "$path"; done | sort -u >"$work/files"
    tar -C / --no-recursion -cf - -T "$work/files" 2>/dev/null |
        docker import --change 'ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["sh"]' - "$image" >/dev/null
    docker run --rm --network none "$image" mpirun --version >/dev/null || { docker image rm "$image" >/dev/null; exit 1; }
fi
echo "$image"
