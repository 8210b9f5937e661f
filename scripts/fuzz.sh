#!/usr/bin/env bash
# usage: scripts/fuzz.sh [SECONDS] [TARGET ...]
#
# Gives the readers of qsweep's files what libFuzzer makes up, for SECONDS (300)
# each, one after the other, with the address and undefined-behaviour sanitizers.
# Targets are the files tests/fuzz/TARGET_fuzz.cpp; without any, all of them.
# An input that crashes, that takes more than 10 s or 2 GB, or over which a
# reader throws anything but its own errors is kept in build-fuzz/found/TARGET,
# and the script ends with exit code 1. What was learnt is kept in
# build-fuzz/corpus/TARGET; the next time goes on from there.
# Needs clang with libFuzzer (Debian and Ubuntu: clang libclang-rt-dev).
set -euo pipefail

case ${1:-} in -h | --help) sed -n '2,/^set/{/^set/!s/^# \{0,1\}//p}' "$0"; exit 0 ;; esac
seconds=300
if [[ ${1:-} =~ ^[0-9]+$ ]]; then seconds=$1; shift; fi

CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/packages.sh
. scripts/packages.sh
exec </dev/null

if (($# == 0)); then
  for file in tests/fuzz/*_fuzz.cpp; do file=${file##*/}; set -- "$@" "${file%_fuzz.cpp}"; done
fi
for target in "$@"; do
  [[ -e tests/fuzz/${target}_fuzz.cpp ]] || fail 2 "fuzz.sh: no target $target (scripts/fuzz.sh --help)"
done
clang=$(find_clang) || fail 2 'fuzz.sh: no clang++ with libFuzzer here: apt-get install clang libclang-rt-dev'

mkdir -p build-fuzz
log=build-fuzz/fuzz.log
: >"$log"
say "building with $clang"
CXX=$clang CC=${clang/clang++/clang} configure fuzz build-fuzz "$log"
build build-fuzz "$log" -j "$(build_jobs)" --target "${@/#/fuzz_}"

TMPDIR=$(mktemp -d "$([[ -w /dev/shm ]] && echo /dev/shm || echo /tmp)/qsweep_fuzz.XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
bad=0
for target in "$@"; do
  mkdir -p "build-fuzz/corpus/$target" "build-fuzz/found/$target"
  code=0
  "build-fuzz/tests/fuzz/fuzz_$target" "build-fuzz/corpus/$target" "tests/fuzz/corpus/$target" -max_total_time="$seconds" \
    -timeout=10 -rss_limit_mb=2048 -max_len=4096 -print_final_stats=1 -artifact_prefix="build-fuzz/found/$target/" >"build-fuzz/$target.log" 2>&1 || code=$?
  say "$target: $(sed -n 's/^#[0-9]*.*\(cov: .*corp: [^ ]*\).*/\1/p' "build-fuzz/$target.log" | tail -n 1)," \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "build-fuzz/$target.log") inputs in $seconds s"
  ((code == 0)) && continue
  bad=1
  say "  FAILED: the input is in build-fuzz/found/$target, the report in build-fuzz/$target.log;" \
    "  see it again: build-fuzz/tests/fuzz/fuzz_$target FILE"
done
exit "$bad"
