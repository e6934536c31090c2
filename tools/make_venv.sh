#!/bin/sh
# Creates $VENV with $PYTHON and installs the project with all its extras.
set -eu

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "aws_iam_async needs Python 3.11 or newer, and '$PYTHON' is older. Try: make PYTHON=python3.12 ..." >&2
    exit 1
fi

if ! "$PYTHON" -m venv "$VENV" >/dev/null 2>&1; then
    # Debian's package python3 does not contain ensurepip.
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -qq >/dev/null && apt-get install -y -qq python3-venv >/dev/null
        "$PYTHON" -m venv --clear "$VENV"
    else
        echo "'$PYTHON -m venv' failed: install the module venv (Debian: apt-get install python3-venv), then try again" >&2
        exit 1
    fi
fi

"$VENV/bin/python" -m pip install --quiet --upgrade pip
"$VENV/bin/python" -m pip install --quiet --editable '.[all]'
