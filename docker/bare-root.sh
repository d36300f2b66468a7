#!/usr/bin/env bash
# Runs the install steps, a build and commands in a bare Debian that debootstrap makes: what a new machine goes through.
#   docker/bare-root.sh ROOT [install.sh's options] -- COMMAND...    ROOT is an empty folder, or one that this made
# COMMAND runs in a copy of the project. As root; needs debootstrap, and nothing of the host but its name servers and, if
# it has any, the certificates of its network.
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
suite=trixie
root=$1
shift
options=()
while [[ $1 != -- ]]; do options+=("$1"); shift; done
shift

if [[ -z ${FIRN_BARE_ROOT:-} ]]; then # in a mount namespace of its own, so that nothing stays mounted
  exec env FIRN_BARE_ROOT=1 unshare --mount "$0" "$root" "${options[@]}" -- "$@"
fi
[[ -e $root/etc/debian_version ]] || debootstrap --variant=minbase "$suite" "$root"
mkdir -p "$root/firn"
git -C "$project" ls-files -z --cached --others --exclude-standard |
  tar -C "$project" --null --ignore-failed-read -cf - -T - | tar -C "$root/firn" -xf -
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/firn/docker/certificates"
find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$root/firn/docker/certificates/" \;
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
inside() {
  chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    ${http_proxy:+"http_proxy=$http_proxy"} ${https_proxy:+"https_proxy=$https_proxy"} ${no_proxy:+"no_proxy=$no_proxy"} \
    bash -lc 'cd /firn && "$@"' inside "$@"
}
inside docker/install.sh "${options[@]}"
inside "$@"
