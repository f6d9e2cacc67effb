#!/bin/sh
# build.sh OUTPUT.tar: the root file system behind every local image, for `docker import`.
#
# Debian bookworm, minimal, without documentation, locales or package lists; apt stays usable. Runs as root with
# debootstrap. APT_MIRROR sets the Debian mirror (".../debian"; its sibling ".../debian-security" is expected too).
# The certificate authorities that this host trusts are added, because builds often run behind an intercepting proxy.
# The file `changes` beside this script holds the image settings for `docker import --change`, one a line.
set -eu

suite=bookworm
fail() { echo "base: $*" >&2; exit 1; }

[ $# -eq 1 ] || fail "usage: build.sh OUTPUT.tar"
[ "$(id -u)" -eq 0 ] || fail "debootstrap needs root; run as root, or use images from a registry"
command -v debootstrap >/dev/null || fail "debootstrap is missing; install it (apt-get install debootstrap)"
output=$1
bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}

umask 022
work=$(mktemp -d "${TMPDIR:-/tmp}/berth-base.XXXXXX")
root=$work/root
trap 'umount "$root/proc" 2>/dev/null || :; rm -rf --one-file-system "$work" "$output.part"' EXIT
trap 'exit 130' INT TERM HUP

debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" ${APT_MIRROR:+"$APT_MIRROR"} \
    || fail "debootstrap failed; is the mirror reachable? APT_MIRROR sets another"

# debootstrap knows only the release itself; its updates are part of what we promise.
read -r _ mirror _ < "$root/etc/apt/sources.list"
cat > "$root/etc/apt/sources.list" <<EOF
deb $mirror $suite main
deb $mirror $suite-updates main
deb ${mirror%/debian}/debian-security $suite-security main
EOF

cat > "$root/etc/apt/apt.conf.d/90small" <<'EOF'
APT::Install-Recommends "false";
APT::AutoRemove::SuggestsImportant "false";
Acquire::Languages "none";
Acquire::Retries "3";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
EOF
cat > "$root/etc/dpkg/dpkg.cfg.d/90small" <<'EOF'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/lintian/*
force-unsafe-io
EOF
# No service is to start while packages are installed.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

if [ -r "$bundle" ]; then
    awk -v dir="$root/usr/local/share/ca-certificates" '
        /-----BEGIN CERTIFICATE-----/ { file = sprintf("%s/host-%04d.crt", dir, ++n) }
        file                          { print > file }
        /-----END CERTIFICATE-----/   { close(file); file = "" }' "$bundle"
    chroot "$root" update-ca-certificates >/dev/null 2>&1 || fail "cannot add the certificates of $bundle"
fi

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
chroot "$root" apt-get -qq update
chroot "$root" apt-get -qq upgrade
chroot "$root" apt-get -qq clean

find "$root/usr/share/doc" -mindepth 1 ! -name copyright ! -type d -delete
find "$root/usr/share/doc" -mindepth 1 -type d -empty -delete
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/usr/share/lintian \
    "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin "$root"/var/cache/debconf/*-old "$root"/var/cache/ldconfig/* \
    "$root"/var/lib/dpkg/*-old "$root"/var/log/*.log "$root"/var/log/apt/* "$root"/tmp/* "$root"/var/tmp/*
# What belongs to this host stays here; the engine gives each container its own.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf" "$root/etc/hosts"
: > "$root/etc/machine-id"

tar --numeric-owner --sort=name --one-file-system --exclude='./dev/*' -C "$root" -cf "$output.part" .
mv "$output.part" "$output"
