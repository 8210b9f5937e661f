#!/usr/bin/env bash
# usage: tests/scripts/scripts_test.sh
# The shell scripts: shellcheck, usage lines, what they say when packages are missing, and the order of their steps, told by
# programs of the same names (cmake, mpirun, apt-get, …) that only write down how they were called. Builds and trains nothing.
set -euo pipefail
CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
root=$PWD

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
failures=0
check() {  # what, command …
  local what=$1
  shift
  if "$@" >"$temporary/output" 2>&1; then
    echo "ok      $what"
  else
    failures=$((failures + 1))
    echo "FAILED  $what"
    sed 's/^/        /' "$temporary/output"
  fi
}
contains() {  # file, text
  grep -qF -- "$2" "$1" || { echo "no \"$2\" in:"; cat "$1"; return 1; }
}
lacks() {
  ! grep -F -- "$2" "$1"
}
equal() { [[ $1 == "$2" ]] || { echo "\"$1\" is not \"$2\""; return 1; }; }
narrow() {  # file: at most 80 columns
  ! awk 'length > 80 { print FILENAME ": " $0; found = 1 } END { exit !found }' "$1"
}

# Every script of the repository.
mapfile -t scripts < <(find scripts slurm tests/scripts .ci -type f \( -name '*.sh' -o -name '*.sbatch' -o -path '.ci/run' \) 2>/dev/null | sort)
if ! command -v shellcheck >/dev/null; then
  echo 'FAILED  shellcheck is not installed (Debian: apt-get install shellcheck)'
  failures=$((failures + 1))
fi
for script in "${scripts[@]}"; do
  check "$script: bash -n" bash -n "$script"
  if command -v shellcheck >/dev/null; then check "$script: shellcheck" shellcheck -x "$script"; fi
  [[ $script == scripts/packages.sh ]] && continue  # is sourced, has no usage
  check "$script: set -euo pipefail" grep -qx 'set -euo pipefail' "$script"
  check "$script: begins with its usage line" grep -q '^# usage: ' <(head -n 3 "$script")
done

if command -v shellcheck >/dev/null; then check 'completions/qsweep.bash: shellcheck' shellcheck completions/qsweep.bash; fi

# A copy of the scripts in a folder with a space in its name, and programs that only say how they were called.
repository="$temporary/a copy"
fake=$temporary/bin
calls=$temporary/calls
mkdir -p "$repository/scripts" "$repository/build" "$repository/elsewhere" "$fake"
cp "$root"/scripts/*.sh "$repository/scripts/"
cp -r "$root/.ci" "$repository/"
pretend() {  # name, body
  printf '#!/bin/bash\n%s\n' "$2" >"$fake/$1"
  chmod +x "$fake/$1"
}
# shellcheck disable=SC2016  # expanded when they run
{
  write_down='printf "%s" "${0##*/}" >>"$calls"; printf " %s" "$@" >>"$calls"; echo >>"$calls"'
  pretend cmake 'if [[ $1 == --version ]]; then echo "cmake version ${cmake_version:-3.25.1}"; exit; fi
'"$write_down"
  pretend ctest "$write_down"'; exit "${ctest_code:-0}"'
  pretend mpirun "$write_down"'; exit "${mpirun_code:-0}"'
  pretend apt-get "$write_down"'; echo "a word of apt"; [[ " $* " == *" install "* && ${apt_code:-0} != 0 ]] && exit "$apt_code"; touch "$calls.installed"'
  pretend dpkg-query '[[ " $missing " == *" ${*: -1} "* && ! -e $calls.installed ]] && exit 1; echo "ii "'
  pretend sudo 'exec "$@"'
  pretend python "$write_down"
}
cp "$fake/python" "$repository/build/qsweep"
sed -i 's/\${0##\*\/}/qsweep/' "$repository/build/qsweep"
sed -i 's|/usr/bin/python3 python3|python python|' "$repository/scripts/packages.sh"  # the pretended one

# Runs one of the copies from another folder; its exit code in $code, its output in $said, the calls in $calls.
said=$temporary/said
pretended() {  # variables …, script, arguments …
  rm -f "$calls" "$calls.installed"
  : >"$calls"
  code=0
  (cd "$repository/elsewhere" && env PATH="$fake:$PATH" calls="$calls" missing="" "$@") >"$said" 2>&1 </dev/null || code=$?
}

pretended bash ../scripts/quickstart.sh --help
check 'quickstart --help: exit 0' equal "$code" 0
check 'quickstart --help: usage' contains "$said" 'usage: scripts/quickstart.sh [--no-install]'
check 'quickstart --help: does nothing' equal "$(wc -l <"$calls")" 0
pretended bash ../scripts/quickstart.sh --instal
check 'quickstart, unknown argument: exit 2' equal "$code" 2
check 'quickstart, unknown argument: named' contains "$said" '--instal'

pretended bash ../scripts/quickstart.sh
check 'quickstart, everything there: exit 0' equal "$code" 0
check 'quickstart, everything there: no apt-get' lacks "$calls" apt-get
check 'quickstart: 80 columns' narrow "$said"
check 'quickstart: the steps in order' diff <(grep -v '^python -c' "$calls") - <<END
cmake --preset release
cmake --build build -j $(sed -n 's/.*--build build, \([0-9]*\) at a time.*/\1/p' "$said") --target qsweep_program
mpirun -n 2 build/qsweep run experiments/distributed/dimension_linear.ini
qsweep collect results/dimension_linear
python scripts/plot.py results/dimension_linear.h5
END

pretended missing='libfmt-dev libhdf5-dev' bash ../scripts/quickstart.sh
check 'quickstart, two missing: exit 0' equal "$code" 0
check 'quickstart, two missing: installs these' grep -q 'apt-get .*install -y --no-install-recommends libhdf5-dev libfmt-dev$' "$calls"
check 'quickstart, two missing: apt-get is quiet' lacks "$said" 'a word of apt'
pretended missing='libfmt-dev' apt_code=100 bash ../scripts/quickstart.sh
check 'quickstart, apt-get fails: exit 1' equal "$code" 1
check 'quickstart, apt-get fails: its words are shown' contains "$said" 'a word of apt'
check 'quickstart, apt-get fails: stops' lacks "$calls" cmake
pretended mpirun_code=3 bash ../scripts/quickstart.sh
check 'quickstart, training fails: its exit code' equal "$code" 3
check 'quickstart, training fails: the step is named' contains "$said" 'stopped in step [4/5] with exit code 3'
check 'quickstart, training fails: collects nothing' lacks "$calls" collect
pretended cmake_version=3.22.1 bash ../scripts/quickstart.sh
check 'quickstart, old CMake: exit 2' equal "$code" 2
check 'quickstart, old CMake: named' contains "$said" '3.22.1'

# The probe of Random123 looks for its header: this g++ finds none.
pretend g++ 'exit 1'
pretended missing='librandom123-dev' bash ../scripts/quickstart.sh --no-install
check '--no-install, one missing: exit 2' equal "$code" 2
check '--no-install, one missing: named' contains "$said" 'librandom123-dev'
check '--no-install, one missing: what needs it' contains "$said" 'counter-based random numbers'
check '--no-install, one missing: only this one' lacks "$said" 'libfmt-dev'
check '--no-install, one missing: does nothing' equal "$(wc -l <"$calls")" 0
check '--no-install, one missing: 80 columns' narrow "$said"
all=$(sed -n 's/^  "\([^|"]*\)|.*/\1/p' scripts/packages.sh | tr '\n' ' ')
# shellcheck disable=SC2016  # expanded by that bash
bash -c '. scripts/packages.sh && say "apt-get install $1" | as_shell_lines' bash "${all% }" >"$temporary/command"
check 'the command that installs all: 80 columns' narrow "$temporary/command"
pretended missing='' bash "$temporary/command"
check 'the command that installs all: a shell takes it' contains "$calls" "apt-get install ${all% }"
pretend g++ 'cat >/dev/null'
pretended missing='librandom123-dev' bash ../scripts/quickstart.sh --no-install
check '--no-install, found without its package: exit 0' equal "$code" 0
check '--no-install, found without its package: installs nothing' lacks "$calls" apt-get
rm "$fake/g++"

pretended bash ../scripts/test.sh -R 'a name'
check 'test: exit 0' equal "$code" 0
check 'test: its last line' contains <(tail -n 1 "$said") 'test.sh: all tests passed'
check 'test: warnings are errors' contains "$calls" 'cmake --preset ci'
check 'test: further arguments go to ctest' contains "$calls" "ctest --preset ci -j $(nproc) -R a name"
pretended bash ../scripts/test.sh --debug --no-install
check 'test --debug: its preset' contains "$calls" 'ctest --preset debug'
pretended ctest_code=8 bash ../.ci/run
check '.ci/run, a test fails: exit code of ctest' equal "$code" 8
check '.ci/run, a test fails: its last line' contains <(tail -n 1 "$said") 'test.sh: FAILED (exit 8)'
pretended missing='shellcheck' bash ../scripts/test.sh
check 'test: installs what only tests need' grep -q 'install .*shellcheck$' "$calls"

# The table of dependencies in README.md names the packages that the scripts install.
if [[ -e README.md ]]; then
  while IFS= read -r package; do
    check "README.md gives a reason for $package" grep -qE "^\|.*\`${package//+/\\+}\`" README.md
  done < <(sed -n 's/^  "\([^|"]*\)|.*/\1/p' scripts/packages.sh)
fi

echo
if ((failures > 0)); then
  echo "$failures checks failed"
  exit 1
fi
echo 'all checks passed'
