#!/bin/sh
# Makes sure that a program is on this machine: install_program.sh PACKAGE PROGRAM, the package being Debian's.
set -eu

PATH="$PATH:/usr/sbin:/usr/local/sbin"
package=$1
program=$2
command -v "$program" >/dev/null && exit 0

if ! command -v apt-get >/dev/null; then
    echo "$program is missing and there is no apt-get: install it by hand" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "$program is missing: run 'sudo apt-get install $package' once, then the same command again" >&2
    exit 1
fi
apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
