#!/bin/sh
# Creates $VENV with $PYTHON and installs the project with all its extras.
set -eu

PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "aws_iam_async needs Python 3.11 or newer; '$PYTHON' is not. Try: make PYTHON=python3.12 ..." >&2
    exit 1
fi

if ! "$PYTHON" -m venv "$VENV" >/dev/null 2>&1; then
    # Debian ships ensurepip apart from python3.
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -qq >/dev/null && apt-get install -y -qq python3-venv >/dev/null
        "$PYTHON" -m venv --clear "$VENV"
    else
        echo "'$PYTHON -m venv' failed: install the venv module first (Debian: apt-get install python3-venv)" >&2
        exit 1
    fi
fi

"$VENV/bin/python" -m pip install --quiet --upgrade pip
"$VENV/bin/python" -m pip install --quiet --editable '.[all]'
