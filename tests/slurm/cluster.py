"""A real SLURM on this machine: munge, a controller and several nodes with fake GPUs, all in one folder.

It needs the packages slurmctld, slurmd, slurm-client and munge of Debian or Ubuntu, but no root, systemd, cgroups or
database. It writes nothing outside the folder, uses ports on loopback only, and runs jobs as the user who started it.
"""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

NODES = {"cpu1": 0, "cpu2": 0, "gpu1": 2}
"""GPUs of each node."""
GPU_DEVICES = ("/dev/null", "/dev/zero")
"""SLURM needs a character device for each GPU; these exist for every user."""
CLIENTS = ("sbatch", "srun", "squeue", "sacct", "scancel", "scontrol", "sinfo", "sacctmgr", "sshare")
SEARCH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


def missing_programs() -> str:
    """The programs that are missing to start SLURM, and the packages that have them; empty if there are none."""
    needed = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue")
    programs = [name for name in needed if shutil.which(name, path=SEARCH) is None]
    return f"no {', '.join(programs)} (apt-get install slurmctld slurmd slurm-client munge)" if programs else ""


def write_program(path: Path, script: str) -> None:
    """Write a shell script that can be run."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def wait_until(condition: Callable[[], bool], description: str, seconds: float = 600) -> None:
    """Poll a condition; a TimeoutError says that it was not true within that time."""
    pause = threading.Event()
    for _ in range(round(seconds / 0.1)):
        if condition():
            return
        pause.wait(0.1)
    raise TimeoutError(f"not within {seconds:g} s: {description}")


class Job(NamedTuple):
    """A job that is in the queue, or ended within the last hour. Snakemake's plugin comments its rule and wildcards."""

    state: str
    partition: str
    node: str
    comment: str


class Cluster:
    """A cluster in a folder."""

    def __init__(self, folder: Path, min_job_age: int = 3600) -> None:
        self.folder = folder.resolve()
        self._min_job_age = min_job_age
        self.programs = self.folder / "bin"
        self._configuration = self.folder / "etc" / "slurm.conf"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which programs and jobs find this cluster."""
        # Snakemake's plugin removes SLURM_CONF from the environment of jobs, so the programs are scripts that set it.
        return {"PATH": os.pathsep.join([str(self.programs), os.defpath])}

    def call(self, program: str, *arguments: str) -> str:
        """Run a SLURM program and return its output."""
        ran = subprocess.run([self.programs / program, *arguments], capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{program} {' '.join(arguments)}: {ran.stderr.strip()}")
        return ran.stdout

    def jobs(self) -> dict[str, Job]:
        """All jobs by number, also those that have ended."""
        lines = self.call("squeue", "--states=all", "--noheader", "--format=%i|%T|%P|%N|%k").splitlines()
        return {words[0]: Job(*words[1:]) for words in (line.split("|", 4) for line in lines)}

    def start(self) -> None:
        """Start all daemons and wait until all nodes accept jobs."""
        self._write_files()
        munge = [f"--{name}={self.folder}/munge/{name}" for name in ("socket", "key-file", "seed-file", "pid-file")]
        self._start("munged", "munged", "--foreground", "--num-threads=1", *munge)
        wait_until((self.folder / "munge" / "socket").exists, f"munge answers; see {self.folder}/log")
        self.start_controller()
        for node in NODES:
            self._start(node, "slurmd", "-D", "-N", node, "-f", str(self._configuration))
        nodes = ("sinfo", "--noheader", "--Node", "--format=%T")
        idle = ["idle"] * len(NODES)
        wait_until(lambda: self._answer(*nodes).split() == idle, f"all nodes are idle; see {self.folder}")

    def start_controller(self) -> None:
        """Start the controller; it reads its saved state."""
        self._start("slurmctld", "slurmctld", "-D", "-f", str(self._configuration))
        wait_until(lambda: "is UP" in self._answer("scontrol", "ping"), f"slurmctld answers; see {self.folder}/log")

    def stop_controller(self, kill: bool = False) -> None:
        """Stop the controller, which then saves its state; or kill it, which may lose the last five seconds."""
        daemon = self._daemons["slurmctld"]
        daemon.kill() if kill else daemon.terminate()
        daemon.wait()

    def stop(self) -> None:
        """Cancel all jobs, then stop all daemons."""
        if "is UP" in self._answer("scontrol", "ping"):
            self.call("scancel", "--user", getpass.getuser())
            wait_until(lambda: not self.call("squeue", "--noheader"), "all jobs have ended")
        for daemon in reversed(self._daemons.values()):
            daemon.terminate()
            daemon.wait()

    def _answer(self, *command: str) -> str:
        """Output of a SLURM program; empty if it fails."""
        try:
            return self.call(*command)
        except (RuntimeError, FileNotFoundError):
            return ""

    def _start(self, name: str, program: str, *arguments: str) -> None:
        path = shutil.which(program, path=SEARCH)
        assert path is not None, missing_programs()
        with (self.folder / "log" / name).open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                [path, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _write_files(self) -> None:
        """Write the configuration, the munge key and the scripts."""
        for name in ("etc", "bin", "run", "log", "state", "munge", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # munge needs an accessible socket and a private key
        (self.folder / "munge").chmod(0o755)
        with open(os.open(self.folder / "munge" / "key-file", os.O_WRONLY | os.O_CREAT, 0o600), "wb") as key:
            key.write(os.urandom(1024))
        for client in CLIENTS:
            if (path := shutil.which(client, path=SEARCH)) is not None:
                write_program(self.programs / client, f'SLURM_CONF="{self._configuration}" exec {path} "$@"')
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
        without, having = (",".join(node for node, gpus in NODES.items() if bool(gpus) == gpu) for gpu in (False, True))
        return f"""
ClusterName=one-machine
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={common}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
# Short-lived credentials, so that a requeued job does not wait for the old one to expire.
AuthInfo=socket={self.folder}/munge/socket,cred_expire=5
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
# More CPUs and memory than the machine has, so that several jobs run at once on any machine.
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
# Seconds for which ended jobs are listed.
MinJobAge={self._min_job_age}
SchedulerParameters=sched_interval=5,bf_interval=5
GresTypes=gpu
{chr(10).join(nodes)}
PartitionName=cpu Nodes={without} Default=YES MaxTime=UNLIMITED State=UP
PartitionName=gpu Nodes={having} MaxTime=UNLIMITED State=UP
"""


def free_ports(count: int) -> list[int]:
    """Unused ports of this machine."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]


@contextmanager
def running_cluster(min_job_age: int = 3600) -> Iterator[Cluster]:
    """Start a cluster in a new folder, whose path is short enough for a socket; stop and remove it at the end."""
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="clef-slurm-", dir="/tmp")), min_job_age)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(cluster.folder, ignore_errors=True)
