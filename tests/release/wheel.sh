#!/usr/bin/env bash
# Builds the sdist and from it the wheel, installs the wheel into a clean environment, scores one comment there, away from the checkout,
# and leaves in dist/ both of them, the plugin for WordPress, a bill of materials (CycloneDX) of that environment, and their checksums.
set -euo pipefail
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf dist
.venv/bin/python -m build --outdir dist . >/dev/null
"${PYTHON:-python3}" -m venv --upgrade-deps "$work/venv"
"$work/venv/bin/pip" --disable-pip-version-check -q install -c constraints.txt dist/*.whl
cd "$work"
venv/bin/belowline score "Thank you, the table in the second part answers my question."
if venv/bin/python -c "import torch" 2>/dev/null; then echo "the base install must not bring torch" >&2; exit 1; fi
echo "wheel $(du -h "$root"/dist/*.whl | cut -f1), environment $(du -sh venv | cut -f1)"
# The tool that writes the bill is not part of what it lists, nor is what installed it.
"${PYTHON:-python3}" -m venv tools
tools/bin/pip --disable-pip-version-check -q install cyclonedx-bom==7.5.0
venv/bin/pip --disable-pip-version-check -q uninstall -y pip setuptools wheel 2>/dev/null
wheel=$(basename "$root"/dist/*.whl)
bill=$root/dist/${wheel%%-py3*}.cdx.json
tools/bin/cyclonedx-py environment --pyproject "$root/pyproject.toml" --output-reproducible -o "$bill" venv/bin/python
# WordPress installs a plugin from a zip that holds its folder.
mkdir belowline && cp "$root"/serve/wordpress_plugin/{belowline.php,readme.txt} "$root/LICENSE" belowline/
venv/bin/python -m zipfile -c "$root/dist/belowline-wordpress.zip" belowline/
cd "$root/dist"
sha256sum -- *.whl *.tar.gz *.zip *.cdx.json >SHA256SUMS
sha256sum --check --quiet SHA256SUMS
"$work/venv/bin/python" -c 'import json, sys; print(len(json.load(open(sys.argv[1]))["components"]), "components in", sys.argv[1])' "${bill##*/}"
