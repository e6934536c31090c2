#!/bin/sh
# Makes sure that a MariaDB server program is on this machine. The tests start it themselves, on their own data and port.
set -eu

PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v mariadbd >/dev/null && command -v mariadb-install-db >/dev/null && exit 0

if ! command -v apt-get >/dev/null; then
    echo "MariaDB is missing and there is no apt-get: install mariadbd and mariadb-install-db by hand" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "MariaDB is missing: run 'sudo apt-get install mariadb-server-core' once, then make test again" >&2
    exit 1
fi
apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mariadb-server-core >/dev/null
