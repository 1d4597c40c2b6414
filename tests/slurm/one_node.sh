#!/usr/bin/env bash
# A Slurm of one node on this machine, for the tests marked `slurm`: Debian's slurm-wlm and munge, no systemd,
# no accounting, no cgroups. Run as root, in a container or on a machine that is yours to change.
#
#   tests/slurm/one_node.sh start | stop
set -euo pipefail
state=/var/lib/xpot-slurm
host=$(hostname -s)

install() {
  command -v slurmctld > /dev/null && command -v munged > /dev/null && return
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge > /dev/null
}

configure() {
  mkdir -p "$state/ctld" "$state/d" /run/munge /var/log/munge /var/lib/munge
  chown -R munge: /run/munge /var/log/munge /var/lib/munge /etc/munge
  chmod 755 /run/munge
  if [ ! -s /etc/munge/munge.key ]; then
    dd if=/dev/urandom bs=1 count=1024 of=/etc/munge/munge.key status=none
    chown munge: /etc/munge/munge.key && chmod 400 /etc/munge/munge.key
  fi
  memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  # `nproc` alone would believe OMP_NUM_THREADS, and jobs of two cores would wait for ever.
  cat > /etc/slurm/slurm.conf <<CONF
ClusterName=xpot
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$state/ctld
SlurmdSpoolDir=$state/d
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
KillWait=10
MinJobAge=60
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE OverSubscribe=FORCE:4 State=UP
CONF
}

start() {
  install
  configure
  pgrep -x munged > /dev/null || runuser -u munge -- /usr/sbin/munged
  pgrep -x slurmctld > /dev/null || slurmctld
  pgrep -x slurmd > /dev/null || slurmd
  for _ in $(seq 30); do
    sinfo --noheader --format=%T 2> /dev/null | grep -qE 'idle|mixed|alloc' && { sinfo; return; }
    scontrol update nodename="$host" state=resume 2> /dev/null || true
    sleep 1
  done
  tail -n 20 "$state"/*.log
  echo "Slurm did not come up" >&2
  exit 1
}

stop() {
  for name in slurmd slurmctld; do
    [ -s "$state/$name.pid" ] && kill "$(cat "$state/$name.pid")" 2> /dev/null || true
  done
  [ -s /run/munge/munged.pid ] && kill "$(cat /run/munge/munged.pid)" 2> /dev/null || true
}

"${1:-start}"
