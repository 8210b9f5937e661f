"""What the tests of the built program share: running it, alone or under mpirun, and reading its results.

    /usr/bin/python3 tests/programs/bits_test.py BUILD [unittest options]      or with QSWEEP_BUILD in the environment
"""
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _build_folder():
    if len(sys.argv) > 1 and os.path.isdir(sys.argv[1]):
        return sys.argv.pop(1)
    return os.environ.get("QSWEEP_BUILD", os.path.join(SOURCE, "build"))


BUILD = os.path.abspath(_build_folder())
QSWEEP = os.path.join(BUILD, "qsweep")
SMOKE = os.path.join(SOURCE, "experiments", "smoke.ini")

try:
    import h5py
except ImportError:
    sys.exit("python3-h5py is missing: install it (apt-get install python3-h5py)")
if not os.access(QSWEEP, os.X_OK):
    sys.exit(f"{QSWEEP}: no such program: build it first, and name the build folder")


def environment(**more):
    """The caller's, made fit for many ranks on few cores, as root too; nothing of the user's decides results."""
    env = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "QSWEEP_DATA")}
    env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
               OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_hwloc_base_binding_policy="none", OPENBLAS_NUM_THREADS="1",
               COLUMNS="80", LC_ALL="C.UTF-8")
    env.update(more)
    return env


def command(*arguments, ranks=0):
    """ranks = 0: without mpirun."""
    launcher = ["mpirun", "-n", str(ranks)] if ranks else []
    return launcher + [QSWEEP] + [str(a) for a in arguments]


class Outcome:
    def __init__(self, arguments, code, out, err, seconds):
        self.arguments, self.code, self.out, self.err, self.seconds = arguments, code, out, err, seconds

    def __str__(self):
        return f"$ {' '.join(self.arguments)}\nexit {self.code} after {self.seconds:.1f} s\n{self.out}{self.err}"

    def messages(self):
        """The lines that qsweep itself printed to say what is wrong."""
        return [line for line in self.err.splitlines() if line.startswith("qsweep: ")]


def processes_of(folder):
    """Ids of all processes that work in a folder (mpirun's ranks inherit it)."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd") == folder:  # of a zombie it cannot be read
                found.append(int(pid))
        except OSError:
            pass
    return found


class ProgramTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="qsweep_test_")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.kill_all)

    def kill_all(self):
        """Everything that this test started and that still works in its folder: mpirun, and the ranks that outlive it."""
        for pid in processes_of(self.folder):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def start(self, *arguments, ranks=0, **env):
        return subprocess.Popen(command(*arguments, ranks=ranks), cwd=self.folder, env=environment(**env), text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True)

    def finish(self, process, timeout=60):
        """A program that takes longer hangs: its whole job is ended, and the test fails."""
        begin = time.monotonic()
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill_all()
            out, err = process.communicate()
            self.fail(f"HANG: $ {' '.join(process.args)}\nhas not ended after {timeout} s\n{out}{err}")
        return Outcome(process.args, process.returncode, out, err, time.monotonic() - begin)

    def qsweep(self, *arguments, code=0, ranks=0, timeout=60, **env):
        outcome = self.finish(self.start(*arguments, ranks=ranks, **env), timeout)
        if code is not None:
            self.assertEqual(outcome.code, code, str(outcome))
        return outcome

    def refused(self, code, needles, *arguments, ranks=0):
        """Ends with `code` and one message that names all needles."""
        outcome = self.qsweep(*arguments, code=code, ranks=ranks)
        messages = outcome.messages()
        self.assertEqual(len(messages), 1, f"one message wanted\n{outcome}")
        for needle in needles:
            self.assertIn(needle, messages[0], str(outcome))
        self.assertNotIn("terminate called", outcome.err, str(outcome))
        return outcome

    def results(self, out, name):
        """The finished files of an experiment, sorted."""
        folder = self.path(out, name)
        return sorted(os.path.join(folder, f) for f in os.listdir(folder) if f.endswith(".h5"))

    def collected(self, out, name):
        self.qsweep("collect", self.path(out, name))
        return self.path(out, name + ".h5")

    def assert_same_bits(self, a, b, runs):
        outcome = self.qsweep("diff", a, b)
        self.assertRegex(outcome.out, rf"^[1-9]\d* datasets of {runs} runs are equal to the bit\n$", str(outcome))

    def assert_only_results(self, out, name, runs):
        """No half files, locks or temporaries are left."""
        names = os.listdir(self.path(out, name))
        self.assertEqual([n for n in names if not n.endswith(".h5") or len(n) != 19], [])
        self.assertEqual(len(names), runs)


def datasets(file, groups=("curves", "final")):
    """{path below the run: (shape, bytes)} of a file with one run."""
    found = {}
    with h5py.File(file, "r") as f:
        (run,) = f["runs"].values()

        def visit(path, item):
            if isinstance(item, h5py.Dataset) and path.split("/")[0] in groups:
                found[path] = (item.shape, item[()].tobytes())
        run.visititems(visit)
    return found


def attributes(file):
    with h5py.File(file, "r") as f:
        (run,) = f["runs"].values()
        return dict(run.attrs)


# Runs of a second or less; @ is replaced by the name.
LINEAR = """[experiment]
name = @
[model]
dimension = 16
[workers]
batch = 8
[optimizer]
kind = rmsprop
schedule = inverse_sqrt
learning_rate = 0.03
[run]
iterations = 50
"""


def linear(name, more=""):
    return LINEAR.replace("@", name) + more


def lasting(seconds, text):
    """The experiment with as many iterations as make each of its runs take about that long on one core here, at this moment."""
    with tempfile.TemporaryDirectory(prefix="qsweep_test_") as folder:
        file = os.path.join(folder, "try.ini")
        with open(file, "w") as f:
            f.write(re.sub(r"(?m)^iterations = .*", "iterations = 2000", text))
        subprocess.run(command("run", file, "--out", folder), check=True, timeout=120, env=environment(), stdout=subprocess.DEVNULL)
        taken = []
        for run in glob.glob(os.path.join(folder, "*", "*.h5")):
            with h5py.File(run) as f:
                (group,) = f["runs"].values()
                taken.append(group["runtime/total"][()])
    return re.sub(r"(?m)^iterations = .*", f"iterations = {int(2000 * seconds * len(taken) / sum(taken))}", text)
