#!/usr/bin/env bash
# Sixteen workers on one study, each a task of a Slurm array: sbatch array.sh [DIR] [COMMAND ...]
#
# Every task is the same script. Those that wait in the queue join when they start; those that fail,
# are preempted or reach their time limit cost nothing: send the same line again and the study goes on.

#SBATCH --job-name=hoptim
#SBATCH --array=0-15
#SBATCH --time=04:00:00
#SBATCH --cpus-per-task=4
#SBATCH --output=%x-%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
# One minute before the limit, to the training process: hoptim hands its trial back and it exits.
#SBATCH --signal=B:TERM@60
# For a GPU each: #SBATCH --gres=gpu:1

set -euo pipefail

export HOPTIM_STUDY="${1:-runs/slurm}"  # a folder that all nodes see
export HOPTIM_WORKER="${SLURM_ARRAY_TASK_ID:-0}"
shift || true
[ $# -gt 0 ] || set -- python train.py "$HOPTIM_STUDY"

echo "worker $HOPTIM_WORKER of job ${SLURM_ARRAY_JOB_ID:-none} on $(hostname): $*"
exec "$@"  # in the shell's place, so that Slurm's signal reaches it
