#!/usr/bin/env bash
# Sixteen workers on one study, each a task of a Slurm array: sbatch array.sh [DIR] [COMMAND ...]
#
# All tasks run the same script. Tasks in the queue join when they start; tasks that fail, are preempted or
# reach their time limit lose no finished trial: submit the same line again to continue the study.

#SBATCH --job-name=hoptim
#SBATCH --array=0-15
#SBATCH --time=04:00:00
#SBATCH --cpus-per-task=4
#SBATCH --output=%x-%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
# SIGTERM to the training process one minute before the limit: hoptim hands its trial back and it exits.
#SBATCH --signal=B:TERM@60
# For one GPU per task: #SBATCH --gres=gpu:1

set -euo pipefail

export HOPTIM_STUDY="${1:-runs/slurm}"  # directory that all nodes see
export HOPTIM_WORKER="${SLURM_ARRAY_TASK_ID:-0}"
shift || true
[ $# -gt 0 ] || set -- python train.py "$HOPTIM_STUDY"

echo "worker $HOPTIM_WORKER of job ${SLURM_ARRAY_JOB_ID:-none} on $(hostname): $*"
exec "$@"  # replaces the shell, so that Slurm's signal reaches it
