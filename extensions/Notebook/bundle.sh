#!/usr/bin/env bash
# Packs the toolkit command for a Linux host with an NVIDIA driver and a pip-installed PyTorch, but without .NET: a self-contained program that
# brings no libtorch and finds PyTorch's own. Usage: extensions/Notebook/bundle.sh [output.tar.xz]
set -euo pipefail
cd "$(dirname "$0")/../.."
output=$(realpath -m "${1:-artifacts/toolkit-linux-x64.tar.xz}")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

dotnet publish extensions/Notebook -c Release -r linux-x64 --self-contained -p:TorchBackend=none -p:DebugType=none -o "$folder/toolkit/program"
cp -r notebooks datasets "$folder/toolkit/"
rm -rf "$folder/toolkit/notebooks/out"

cat > "$folder/toolkit/toolkit" <<'SCRIPT'
#!/bin/sh
# Starts Toolkit on the libtorch of the PyTorch that python3 finds; TOOLKIT_LIBTORCH names another one.
here=$(dirname "$(readlink -f "$0")")
if [ -z "$TOOLKIT_LIBTORCH" ]; then
    TOOLKIT_LIBTORCH=$(python3 -c 'import importlib.util, os; print(os.path.join(os.path.dirname(importlib.util.find_spec("torch").origin), "lib"))') || {
        echo "python3 has no PyTorch: pip install torch, or set TOOLKIT_LIBTORCH to the lib folder of one" >&2
        exit 1
    }
fi
export TOOLKIT_LIBTORCH
exec "$here/program/Toolkit.Notebook" "$@"
SCRIPT
chmod +x "$folder/toolkit/toolkit"

mkdir -p "$(dirname "$output")"
tar -C "$folder" -c toolkit | xz -6 -T0 > "$output"
echo "$output: $(du -h "$output" | cut -f1)"
