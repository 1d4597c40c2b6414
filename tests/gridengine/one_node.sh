#!/usr/bin/env bash
# A Grid Engine of one node on this machine, for the tests marked `gridengine`: Debian's gridengine packages, no
# systemd. Run as root, in a container or on a machine that is yours to change.
#
#   tests/gridengine/one_node.sh start | stop
set -euo pipefail
export SGE_ROOT=/var/lib/gridengine SGE_CELL=default
host=$(hostname -s)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

install() {
  command -v sge_qmaster > /dev/null && command -v qsub > /dev/null && [ -d "$SGE_ROOT/$SGE_CELL/common" ] && return
  for package in common master client exec; do
    debconf-set-selections <<< "gridengine-$package shared/gridenginemaster string $host"
    debconf-set-selections <<< "gridengine-$package shared/gridengineconfig boolean true"
  done
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    gridengine-master gridengine-exec gridengine-client > /dev/null
}

begin() {  # begin NAME: the daemon of /etc/init.d, unless it runs
  pgrep -x "sge_$1" > /dev/null || "/etc/init.d/gridengine-$2" start > /dev/null
}

answers() { timeout 5 qconf -sh > /dev/null 2>&1; }

configure() {
  # Root may submit here; jobs begin at once.
  qconf -sconf global | sed -E 's/^(min_[ug]id) .*/\1 0/' > "$work/global"
  qconf -Mconf "$work/global" > /dev/null
  qconf -ssconf | sed -E 's/^(schedule_interval) .*/\1 0:0:2/; s/^(flush_(submit|finish)_sec) .*/\1 1/' > "$work/sched"
  qconf -Msconf "$work/sched" > /dev/null
  qconf -as "$host" > /dev/null 2>&1 || true
  qconf -sq main.q > /dev/null 2>&1 && return
  cat > "$work/host" <<CONF
hostname $host
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
CONF
  printf 'group_name @allhosts\nhostlist %s\n' "$host" > "$work/group"
  cat > "$work/pe" <<CONF
pe_name smp
slots 64
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule \$pe_slots
control_slaves FALSE
job_is_first_task TRUE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
CONF
  # The template queue, with our host, the parallel environment and places for several jobs.
  qconf -sq | sed -E "s/^(qname) .*/\1 main.q/; s/^(hostlist) .*/\1 @allhosts/; s/^(pe_list) .*/\1 smp/;
    s/^(slots) .*/\1 8/; s/^(shell) .*/\1 \/bin\/bash/; s/^(shell_start_mode) .*/\1 unix_behavior/;
    s/^(load_thresholds) .*/\1 NONE/" > "$work/queue"
  qconf -Ae "$work/host" > /dev/null 2>&1 || true
  qconf -Ahgrp "$work/group" > /dev/null 2>&1 || true
  qconf -Ap "$work/pe" > /dev/null
  qconf -Aq "$work/queue" > /dev/null
}

start() {
  install
  # Where the host's name stands for 127.0.0.1, Grid Engine finds "localhost" for it and trusts nobody.
  echo "$host localhost" > "$SGE_ROOT/$SGE_CELL/common/host_aliases"
  begin qmaster master
  for _ in $(seq 30); do answers && break; sleep 1; done
  configure
  begin execd exec
  for _ in $(seq 30); do
    if qstat -f | grep -q "^main.q@$host .*lx"; then
      qmod -cq main.q > /dev/null 2>&1 || true  # an error of an earlier start
      qstat -f
      return
    fi
    sleep 1
  done
  tail -n 20 /var/spool/gridengine/*/messages /var/spool/gridengine/execd/*/messages
  echo "Grid Engine did not come up" >&2
  exit 1
}

stop() {
  for name in execd qmaster; do
    pid=$(pgrep -x "sge_$name" || true)
    [ -z "$pid" ] || kill "$pid"
  done
}

"${1:-start}"
