#!/bin/sh
# Leaves the image that the Docker tests run, longshore-test/busybox:1, on the engine that the docker client reaches:
# one static busybox with a link for each of its applets. Nothing is pulled. Prints the image's name; safe to repeat.
# Needs the docker client, tar, and a statically linked busybox (Debian: busybox-static), or its path in BUSYBOX.
set -eu

image=longshore-test/busybox:1
busybox=${BUSYBOX:-$(command -v busybox)} || { echo "no busybox found: install busybox-static" >&2; exit 1; }

if ! docker image inspect "$image" >/dev/null 2>&1; then
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    chmod 0755 "$root"
    mkdir -p "$root/bin" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/root" "$root/home" "$root/tmp"
    chmod 1777 "$root/tmp"
    cp "$busybox" "$root/bin/busybox"
    "$busybox" --list | while read -r applet; do
        [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n' >"$root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
    tar -C "$root" --owner=0 --group=0 -cf - . | docker import --change 'ENV PATH=/bin' --change 'CMD ["sh"]' - "$image" >/dev/null
    docker run --rm --network none "$image" true || { docker image rm "$image" >/dev/null; exit 1; }
fi
echo "$image"
