"""A real SLURM on this machine: munge, a controller and several nodes with made-up GPUs, all in one folder.

It takes the packages slurmctld, slurmd, slurm-client and munge of Debian or Ubuntu, and neither root, systemd, cgroups
nor a database. Nothing is written outside the folder, every port is on loopback, and jobs run as the user who started
it. By hand:

    python tests/slurm/cluster.py start FOLDER
    python tests/slurm/cluster.py stop FOLDER
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

NODES = {"cpu1": 0, "cpu2": 0, "gpu1": 2}
"""GPUs of each node."""
GPU_DEVICES = ("/dev/null", "/dev/zero")
"""SLURM wants a character device for each GPU; these are there for any user."""
DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "sacct", "scancel", "scontrol", "sinfo", "sacctmgr", "sshare")
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
LONGEST_FOLDER = 80
"""A socket's path may have 107 characters."""


def why_not() -> str | None:
    """Why no SLURM can be started here; None where it can."""
    missing = [
        program for program in (*DAEMONS, "sbatch", "srun", "squeue") if shutil.which(program, path=SEARCH) is None
    ]
    if missing:
        return f"no {', '.join(missing)} (apt-get install slurmctld slurmd slurm-client munge)"
    return None


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for what tells nobody that it has happened.

    Raises:
        TimeoutError: It has not within that time.
    """
    pause = threading.Event()
    for _ in range(round(seconds / 0.1)):
        if condition():
            return
        pause.wait(0.1)
    raise TimeoutError(f"not within {seconds:g} s: {what}")


@dataclass(frozen=True)
class Job:
    """A job that SLURM knows, or knew within the hour."""

    state: str
    partition: str
    node: str
    comment: str
    """Rule and wildcards, by Snakemake's plugin."""


class Cluster:
    """A cluster in a folder, which can be started and stopped again.

    Args:
        folder: Is made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.programs = self.folder / "bin"
        self._configuration = self.folder / "etc" / "slurm.conf"

    def environment(self) -> dict[str, str]:
        """What a program needs in its environment to find this cluster, and a job to find it again.

        Snakemake's plugin takes SLURM_CONF out of the environment of a job's steps. So the programs on PATH are small
        scripts that set it.
        """
        return {"PATH": os.pathsep.join([str(self.programs), os.defpath])}

    def call(self, program: str, *arguments: str) -> str:
        """Run one of SLURM's programs and return what it printed."""
        ran = subprocess.run(
            [self.programs / program, *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        if ran.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {ran.stderr.strip()}")
        return ran.stdout

    def jobs(self) -> dict[str, Job]:
        """All jobs by their ids, also those that have ended."""
        lines = self.call("squeue", "--states=all", "--noheader", "--format=%i|%T|%P|%N|%k").splitlines()
        return {words[0]: Job(*words[1:]) for words in (line.split("|", 4) for line in lines)}

    def start(self) -> None:
        """Start what does not run yet and wait until all nodes take jobs.

        Raises:
            TimeoutError: They do not; their logs are in the folder.
        """
        if len(str(self.folder)) > LONGEST_FOLDER:
            raise ValueError(f"{self.folder}: too long for a socket's path; at most {LONGEST_FOLDER} characters")
        if not self._configuration.exists():
            self._write()
        self._run("munged", "--foreground", "--num-threads=1", f"--socket={self.folder}/munge.socket",
                  f"--key-file={self.folder}/key/munge.key", f"--seed-file={self.folder}/key/munge.seed",
                  f"--pid-file={self.folder}/run/munged.own")  # fmt: skip
        wait_until((self.folder / "munge.socket").exists, 20, f"munge answers; see {self.folder}/log")
        self.start_controller()
        for node in NODES:
            self._run("slurmd", "-D", "-N", node, "-f", str(self._configuration), name=node)
        wait_until(self._all_idle, 60, f"all nodes are idle; see {self.folder}/log")

    def start_controller(self) -> None:
        """Start the controller, with the jobs that it knew before."""
        self._run("slurmctld", "-D", "-f", str(self._configuration))
        wait_until(self._controller_answers, 30, f"slurmctld answers; see {self.folder}/log/slurmctld.log")

    def kill_controller(self) -> None:
        """End the controller as a crash does: what it learnt in the last five seconds may be lost."""
        self._end_controller(signal.SIGKILL)

    def stop_controller(self) -> None:
        """End the controller as an administrator does: it saves what it knows."""
        self._end_controller(signal.SIGTERM)

    def stop(self) -> None:
        """End all jobs, then all that was started."""
        if self._process("slurmctld") is not None and self._controller_answers():
            self.call("scancel", "--user", getpass.getuser())
            wait_until(lambda: not self.call("squeue", "--noheader"), 60, "all jobs have ended")
        running = [process for name in (*NODES, "slurmctld", "munged") if (process := self._process(name))]
        for process in running:
            process.terminate()
        for process in psutil.wait_procs(running, timeout=20)[1]:
            process.kill()

    def _end_controller(self, how: signal.Signals) -> None:
        controller = self._process("slurmctld")
        assert controller is not None
        controller.send_signal(how)
        controller.wait(20)

    def _all_idle(self) -> bool:
        try:
            return self.call("sinfo", "--noheader", "--Node", "--format=%T").split() == ["idle"] * len(NODES)
        except RuntimeError:
            return False

    def _controller_answers(self) -> bool:
        try:
            return "is UP" in self.call("scontrol", "ping")
        except RuntimeError:
            return False

    def _run(self, program: str, *arguments: str, name: str | None = None) -> None:
        """Start a daemon that is not there yet; it outlives this process."""
        name = name or program
        if self._process(name) is not None:
            return
        path = shutil.which(program, path=SEARCH)
        assert path is not None, why_not()
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [path, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self.folder / "run" / f"{name}.pid").write_text(f"{process.pid} {psutil.Process(process.pid).create_time()}")

    def _process(self, name: str) -> psutil.Process | None:
        """The daemon of this name, if it lives: its number alone may by now be another's."""
        try:
            number, began = (self.folder / "run" / f"{name}.pid").read_text().split()
            process = psutil.Process(int(number))
            alive = process.create_time() == float(began) and process.status() != psutil.STATUS_ZOMBIE
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None
        return process if alive else None

    def _write(self) -> None:
        """Write the configuration, munge's key and the scripts."""
        for name in ("etc", "bin", "run", "log", "state", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # munge wants its socket where all may go, and its key where none may
        (self.folder / "key").mkdir(mode=0o700)
        with open(os.open(self.folder / "key" / "munge.key", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as key:
            key.write(os.urandom(1024))
        for client in CLIENTS:
            if (path := shutil.which(client, path=SEARCH)) is not None:
                script = self.programs / client
                script.write_text(f'#!/bin/sh\nSLURM_CONF="{self._configuration}" exec {path} "$@"\n')
                script.chmod(0o755)
        gpus = [f"NodeName={node} Name=gpu Type=fake File={device}"
                for node, count in NODES.items() for device in GPU_DEVICES[:count]]  # fmt: skip
        (self.folder / "etc" / "gres.conf").write_text("\n".join(["AutoDetect=off", *gpus, ""]))
        self._configuration.write_text(self._settings())

    def _settings(self) -> str:
        host, user = socket.gethostname().split(".")[0], getpass.getuser()
        controller, common, *ports = free_ports(2 + len(NODES))
        nodes = [
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=64000"
            + (f" Gres=gpu:fake:{gpus}" if gpus else "")
            for (node, gpus), port in zip(NODES.items(), ports, strict=True)
        ]
        without = ",".join(node for node, gpus in NODES.items() if not gpus)
        having = ",".join(node for node, gpus in NODES.items() if gpus)
        return f"""
ClusterName=one-machine
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={common}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
# Credentials are short-lived, so that a requeued job need not wait until its old one is no more.
AuthInfo=socket={self.folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool/%n
SlurmctldPidFile={self.folder}/run/slurmctld.own
SlurmdPidFile={self.folder}/run/%n.own
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
# More processors and memory than the machine has, so that several jobs run at once everywhere.
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
# Jobs that have ended are listed for an hour.
MinJobAge=3600
SchedulerParameters=sched_interval=5,bf_interval=5
GresTypes=gpu
{chr(10).join(nodes)}
PartitionName=cpu Nodes={without} Default=YES MaxTime=UNLIMITED State=UP
PartitionName=gpu Nodes={having} MaxTime=UNLIMITED State=UP
"""


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody uses."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def running() -> Iterator[Cluster]:
    """A cluster in a new folder, which is stopped and removed at the end."""
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="clef-slurm-", dir="/tmp")))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.folder, ignore_errors=True)


def main() -> None:
    """Start or stop a cluster from the command line."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit(f"usage: {sys.argv[0]} start|stop FOLDER")
    if (reason := why_not()) is not None:
        sys.exit(reason)
    cluster = Cluster(Path(sys.argv[2]))
    if sys.argv[1] == "stop":
        cluster.stop()
        return
    cluster.start()
    print(cluster.call("sinfo") + f"\nexport PATH={cluster.programs}:$PATH")


if __name__ == "__main__":
    main()
