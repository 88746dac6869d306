#!/usr/bin/env bash
# check.sh BUILD_DIR COMPILER: installs the build into an empty prefix, then configures, builds and runs consumer/
# against it with nothing but find_package(slipstream).
set -euo pipefail
build=$1 compiler=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix" # an installed package may be moved
if grep -rnF --include='*.cmake' -e "$work/first" -e "$build" "$work/prefix"; then
  echo "the installed package names the folder it was built or first installed in"
  exit 1
fi
cmake -G Ninja -S "$here/consumer" -B "$work/build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$work/prefix"
cmake --build "$work/build"
"$work/build/consumer"
if [[ -x $work/prefix/bin/slipstream ]]; then
  "$work/prefix/bin/slipstream" version
  "$work/prefix/bin/slipstream" new "$work/rooms"
  cmake -G Ninja -S "$work/rooms" -B "$work/rooms/build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_PREFIX_PATH="$work/prefix"
  cmake --build "$work/rooms/build"
  ctest --test-dir "$work/rooms/build" --output-on-failure --no-tests=error
fi
