#!/usr/bin/env bash
# usage: emulated_hosts_test.sh
# Two emulated hosts talk, and nothing is left of them afterwards, also when interrupted. Skips, and says so,
# without root or where namespaces are forbidden.
set -euo pipefail
cd "$(dirname "$0")/../.."
script=scripts/emulated_hosts.sh
failed() { echo "FAILED: $*" >&2; exit 1; }
spaces() { ip netns list | grep -c "^qsweep$1-" || true; }

code=0
$script >/dev/null 2>&1 || code=$?
((code == 2)) || failed "without arguments: exit $code, 2 wanted"
code=0
message=$($script 2 fast true 2>&1) || code=$?
[[ $code == 2 && $message == *'RATE fast'* ]] || failed "wrong rate: exit $code: $message"
if ((EUID != 0)) || ! command -v ip >/dev/null || ! ip netns add qsweep-probe 2>/dev/null; then
  echo 'SKIPPED: emulated hosts need root, iproute2 and the right to make network namespaces'
  exit 0
fi
ip netns del qsweep-probe

# Each rank says on which host it is; three hosts of two ranks.
# shellcheck disable=SC2016
found=$($script 3 1gbit --ranks-per-host 2 sh -c 'echo "$(hostname | sed s/.*-//) $OMPI_COMM_WORLD_RANK"' 2>/dev/null | sort | cut -d ' ' -f 1 | uniq -c | xargs)
[[ $found == '2 0 2 1 2 2' ]] || failed "ranks on hosts: $found"
code=0
$script 2 none sh -c 'exit 7' >/dev/null 2>&1 || code=$?
((code == 7)) || failed "exit code of the command: $code, 7 wanted"

for signal in INT TERM; do
  env --default-signal=INT $script 2 100mbit sleep 60 >/dev/null 2>&1 &  # a shell lets its background jobs ignore INT
  process=$!
  for _ in $(seq 100); do (($(spaces $process) == 3)) && break; sleep 0.1; done
  (($(spaces $process) == 3)) || failed "no namespaces after 10 s"
  sleep 1
  kill -$signal $process
  wait $process && failed "ends with 0 when interrupted" || code=$?
  (($(spaces $process) == 0)) || failed "namespaces left after $signal"
done
echo 'emulated hosts: all as expected'
