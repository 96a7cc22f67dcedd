"""What the private cluster's daemons read: configuration files, a key, a database script, fake GPUs."""

import contextlib
import os
import random
import secrets
import socket
import stat
from pathlib import Path
from typing import NamedTuple

CPUS = 16

SLURMDBD = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports.slurmdbd}
CommunicationParameters=NoInAddrAny
SlurmUser=root
PidFile={folder}/run/slurmdbd.pid
DebugLevelSyslog=quiet
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports.mariadbd}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""

DATABASE = """\
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS slurm@'127.0.0.1' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1';
"""

# Small, because a test waits for them: KillWait is how long a job that ignores SIGTERM goes on (slurmd makes 5 of
# anything less); cred_expire, 120 by default, how long a requeued job waits before it starts again. On a busy machine
# fewer than 8 would be too few: it is also how old a job's credential may be when slurmd comes to look at it.
# SlurmdLogFile is where slurmstepd writes; the daemons' own output is kept by whoever starts them.
SLURM = """\
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports.slurmctld}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=8
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd.%n.pid
SlurmctldSyslogDebug=quiet
SlurmdSyslogDebug=quiet
SlurmdLogFile={folder}/log/steps.%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
MaxArraySize={max_array_size}
MaxJobCount=10000
SlurmctldTimeout=30
SlurmdTimeout=30
InactiveLimit=0
KillWait=5
MinJobAge=3600
BatchStartTimeout=30
CompleteWait=0
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports.slurmdbd}
AccountingStoragePass={folder}/munge/socket
AccountingStorageTRES=gres/gpu
JobCompType=jobcomp/none
{nodes}
PartitionName=gpu Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=60 State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=high Nodes=ALL Default=NO MaxTime=INFINITE DefaultTime=60 State=UP PriorityTier=100 PreemptMode=OFF
"""

NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} Boards=1 SocketsPerBoard=1 "
    "CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory=16000 Gres=gpu:h200:{gpus} State=UNKNOWN"
)


class Ports(NamedTuple):
    slurmctld: int
    slurmdbd: int
    mariadbd: int
    slurmd: dict[str, int]


def free_ports(nodes: list[str]) -> Ports:
    """Ports nobody has, drawn at random so that two clusters that start together rarely draw the same.

    Below 32768, where the kernel takes the ports of outgoing connections: one of those could come in between.
    """
    free: list[int] = []
    for port in random.SystemRandom().sample(range(20000, 32000), 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == 3 + len(nodes):
            return Ports(free[0], free[1], free[2], slurmd=dict(zip(nodes, free[3:], strict=True)))
    raise RuntimeError("no free ports between 20000 and 32000")


def configure(folder: Path, nodes: list[str], gpus: int, max_array_size: int) -> Ports:
    """Write everything the daemons read into an empty folder, and return the ports they will use."""
    ports, host = free_ports(nodes), socket.gethostname().partition(".")[0]
    for name in ("munge", "log", "run", "state", "dev", "database", *(f"spool.{node}" for node in nodes)):
        (folder / name).mkdir()
    lines = [NODE.format(name=node, host=host, port=ports.slurmd[node], cpus=CPUS, gpus=gpus) for node in nodes]
    values = {"folder": folder, "ports": ports, "host": host, "nodes": "\n".join(lines)}
    (folder / "slurm.conf").write_text(SLURM.format(max_array_size=max_array_size, **values))
    (folder / "gres.conf").write_text(f"Name=gpu Type=h200 File={folder}/dev/gpu[0-{gpus - 1}]\n")
    (folder / "cgroup.conf").write_text("ConstrainCores=no\n")
    (folder / "database.sql").write_text(DATABASE)
    _write_secret(folder / "slurmdbd.conf", SLURMDBD.format(**values).encode())
    _write_secret(folder / "munge" / "key", secrets.token_bytes(1024))
    for gpu in range(gpus):  # /dev/null under another name: SLURM wants a character device before it hands out a GPU
        os.mknod(folder / "dev" / f"gpu{gpu}", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    return ports


def _write_secret(path: Path, content: bytes) -> None:
    """Munge and slurmdbd refuse files that others may read."""
    path.touch(mode=0o600)
    path.write_bytes(content)
