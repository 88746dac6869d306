#!/usr/bin/env bash
# Builds the oneTBB that Debian packages, from Debian's source package, with the thread sanitizer, unless the cache
# has it. Prints its prefix. Without it every hand-over through TBB would look like a race.
set -euo pipefail
version=$(dpkg-query -W -f '${source:Version}' libtbb-dev)
prefix=${XDG_CACHE_HOME:-$HOME/.cache}/slipstream/tbb-tsan-$version
if [[ -e $prefix/lib/cmake/TBB/TBBConfig.cmake ]]; then
  echo "$prefix"
  exit 0
fi
echo "tbb-tsan: building oneTBB $version with the thread sanitizer, once" >&2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work" # apt's unprivileged user downloads into it

# The machine's own package sources, as sources of source packages.
mkdir -p "$work/sources" "$work/lists/partial"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [[ -e $file ]] || continue
  name=${file##*/}
  sed -nE 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$work/sources/${name%.list}-list.list"
done
for file in /etc/apt/sources.list.d/*.sources; do
  [[ -e $file ]] || continue
  sed -E 's/^Types:.*/Types: deb-src/I' "$file" >"$work/sources/${file##*/}"
done
apt=(apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/sources" -o Dir::State::Lists="$work/lists"
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
make_tbb() {
  "${apt[@]}" update
  (cd "$work" && "${apt[@]}" source "onetbb=$version")
  cmake -S "$work"/onetbb-*/ -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS=-Wno-tsan \
    -DTBB_SANITIZE=thread -DTBB_TEST=OFF -DTBB_STRICT=OFF -DTBBMALLOC_BUILD=OFF \
    -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib
  cmake --build "$work/build"
}
(set -e; make_tbb) >"$work/log" 2>&1 & # not in a condition, where -e would not hold
wait $! || { tail -n 50 "$work/log" >&2; exit 1; }
# Put there whole or not at all: installed beside it first.
mkdir -p "${prefix%/*}"
DESTDIR=$work/root cmake --install "$work/build" >/dev/null
staged=$(mktemp -d "$prefix.XXXXXX")
cp -R "$work/root$prefix/." "$staged"
chmod 755 "$staged"
rm -rf "$prefix"
mv "$staged" "$prefix"
echo "$prefix"
