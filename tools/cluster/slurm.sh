#!/bin/bash
# A search on several machines of a SLURM cluster, a worker on each. Submit it from the checkout:
#   sbatch --nodes=4 --gres=gpu:1 tools/cluster/slurm.sh tools.search --flagfile=search.flags --workdir=/shared/run
# The workdir and the data must be on a file system that all machines see. With several GPUs per
# machine, start a worker for each: --ntasks-per-node=8 --gpus-per-task=1. After the loss of a
# worker the job starts again, at most 5 times, and resumes from its last checkpoint.
#SBATCH --job-name=keras_fasterseg
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append

# Another job on the same machine has other ports.
PORT=${PORT:-$((20000 + SLURM_JOB_ID % 10000))}
# A worker writes it if another start would fail alike: 1 and 2 are wrong flags and settings.
FINAL=.final_$SLURM_JOB_ID
rm -f "$FINAL"
export FINAL
PER_NODE=${SLURM_NTASKS_PER_NODE:-1}
# A port for each worker of a machine, in the order of SLURM_PROCID.
HOSTS=$(for host in $(scontrol show hostnames "$SLURM_JOB_NODELIST"); do
  for ((local = 0; local < PER_NODE; local++)); do echo "\"$host:$((PORT + local))\""; done
done | paste --serial --delimiters=,)
export HOSTS
# If one worker ends with an error, the others are stopped.
srun --distribution=block --kill-on-bad-exit=1 bash -c '
  export TF_CONFIG="{\"cluster\": {\"worker\": [$HOSTS]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
  .venv/bin/python -m "$@" --devices=workers
  status=$?
  if [ $status -eq 1 ] || [ $status -eq 2 ]; then touch "$FINAL"; fi
  exit $status' worker "$@"
status=$?
if [ $status -ne 0 ] && [ ! -e "$FINAL" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 5 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
rm -f "$FINAL"
exit $status
