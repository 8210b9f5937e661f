#!/usr/bin/env bash
# usage: simulate_cluster_test.sh
# The exchange on a simulated cluster: messages without codes take as long as those with codes, narrow codes less than floats, and the
# script draws its figure. Skips, and says so, where SimGrid or the program is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
failed() { echo "FAILED: $*" >&2; exit 1; }
skipped() { printf '\n*** SKIPPED: %s: simulated clusters are NOT tested ***\n\n' "$*" >&2; exit 0; }
script=scripts/simulate_cluster.sh

code=0
message=$($script --rank 2 2>&1) || code=$?
[[ $code == 2 && $message == usage:* ]] || failed "unknown option: exit $code: $message"
command -v smpicxx >/dev/null || skipped 'smpicxx is missing (apt-get install libsimgrid-dev)'
[[ -x build/qsweep && -x build/qsweep_bench ]] || skipped 'build/qsweep is missing (a debug build alone does not make it)'

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# The same times for both: measured once, by the first.
$script -o "$folder/codes.h5" --ranks '2 8' --gbits 1 --widths 2 --keep "$folder/kept" >"$folder/log" 2>&1 || failed "$(cat "$folder/log")"
[[ -s $folder/codes.png ]] || failed 'no figure'
$script -o "$folder/sizes.h5" --ranks '2 8' --gbits 1 --widths 2 --profile "$folder/kept" --sizes-from 2 >"$folder/log" 2>&1 || failed "$(cat "$folder/log")"
grep -q 'sizes only' "$folder/log" || failed "$(cat "$folder/log")"

python=/usr/bin/python3
"$python" -c 'import h5py' 2>/dev/null || python=python3
"$python" - "$folder/codes.h5" "$folder/sizes.h5" <<'PYTHON'
import sys
import h5py
import numpy

with h5py.File(sys.argv[1]) as codes, h5py.File(sys.argv[2]) as sizes:
    seconds = {name: run["bench/seconds"][()] for name, run in codes["runs"].items()}
    assert set(seconds) == {"floats-32-1", "allreduce-2-1", "server-2-1", "sharded-2-1"}, set(seconds)
    for name, run in sizes["runs"].items():
        numpy.testing.assert_allclose(run["bench/seconds"][()], seconds[name], rtol=1e-6, err_msg=name)
        assert run["bench/sizes_only"][()].all() and not codes[f"runs/{name}/bench/sizes_only"][()].any()
    # 1.07 million floats of a ring on 1 Gbit/s: 2·(P − 1)/P·32 bits each; a sharded exchange of 2 and 3 bits is ten times faster.
    compute = codes["runs/floats-32-1"].attrs["compute"]
    for p, floats, sharded in zip((2, 8), seconds["floats-32-1"], seconds["sharded-2-1"]):
        wire = 2 * (p - 1) / p * 32 * 1068298 / 1e9
        assert wire < floats - compute < 1.3 * wire, (p, floats, wire)
        assert sharded < floats, (p, sharded, floats)
PYTHON
echo 'simulated: 2 and 8 ranks, with codes and without'
