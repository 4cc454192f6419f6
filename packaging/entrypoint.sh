#!/bin/sh
# First start writes a configuration into the volume; later starts use it as it is.
set -eu
PATH=/opt/calgate/bin:$PATH
config=${CALGATE_CONFIG:-/data/calgate.toml}
if [ ! -e "$config" ]; then
  calgate init "$(dirname "$config")"
  sed -i 's/^listen = .*/listen = "0.0.0.0:8080"/' "$config"
fi
exec calgate --config "$config" "$@"
