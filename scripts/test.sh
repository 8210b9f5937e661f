#!/usr/bin/env bash
# usage: scripts/test.sh [--no-install] [--debug] [ARGUMENTS OF CTEST ...]
#
# Installs the packages, builds qsweep with warnings as errors, and runs all
# tests. What quickstart.sh has built is gone on with as it is: without that.
# scripts/test.sh -R exchange runs those whose name has "exchange" in it.
#
#   --no-install   installs nothing (you need not be root); lists the packages
#                  that are missing, and what needs them, and ends with exit 2
#   --debug        with the address and undefined-behaviour sanitizers
#                  (in build-debug; else in build)
# Exit code 0 only if everything was built and no test failed.
set -euo pipefail

install=true preset=ci folder=build
while (($# > 0)); do
  case $1 in
    --no-install) install=false ;;
    --debug) preset=debug folder=build-debug ;;
    -h | --help) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *) break ;;
  esac
  shift
done

CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
exec </dev/null

ended() {
  local code=$?
  ((code == 0)) || printf '%s\n' "test.sh: FAILED (exit $code)" >&2
}
trap ended EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -p "$folder"
if [[ $preset == ci ]] && grep -qs '^QSWEEP_WERROR:BOOL=OFF$' "$folder/CMakeCache.txt"; then preset=release; fi
log=$folder/test.log
: >"$log"
jobs=$(build_jobs)

say '[1/4] packages'
need_packages "$install" "$log" 'build and test'
say "[2/4] configure: cmake --preset $preset"
configure "$preset" "$folder" "$log"
say "[3/4] build: cmake --build $folder, $jobs at a time"
build "$folder" "$log" -j "$jobs"
say "[4/4] test: ctest --preset $preset, $(nproc) at a time"
mpi_environment
ctest --preset "$preset" -j "$(nproc)" "$@"
say "test.sh: all tests passed in $SECONDS s"
