#!/usr/bin/env bash
# Builds the wheel, installs it into a clean environment and scores one comment there, away from the checkout.
set -euo pipefail
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf dist
.venv/bin/python -m build --wheel --outdir dist . >/dev/null
"${PYTHON:-python3}" -m venv --upgrade-deps "$work/venv"
"$work/venv/bin/pip" --disable-pip-version-check -q install -c constraints.txt dist/*.whl
cd "$work"
venv/bin/belowline score "Thank you, the table in the second part answers my question."
if venv/bin/python -c "import torch" 2>/dev/null; then echo "the base install must not bring torch" >&2; exit 1; fi
echo "wheel $(du -h "$root"/dist/*.whl | cut -f1), environment $(du -sh venv | cut -f1)"
