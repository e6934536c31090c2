#!/bin/sh
# Installs the Debian package PACKAGE if the program PROGRAM is missing: install_program.sh PACKAGE PROGRAM
set -eu

PATH="$PATH:/usr/sbin:/usr/local/sbin"
package=$1
program=$2
command -v "$program" >/dev/null && exit 0

if ! command -v apt-get >/dev/null; then
    echo "$program is missing, and this system has no apt-get: install $program, then run the same command again" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "$program is missing: run 'sudo apt-get install $package', then run the same command again" >&2
    exit 1
fi
apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$package" >/dev/null
