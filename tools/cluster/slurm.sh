#!/bin/bash
# A search on several machines of a SLURM cluster, a worker on each. Submit it from the checkout:
#   sbatch --nodes=4 --gres=gpu:1 tools/cluster/slurm.sh tools.search --flagfile=search.flags --workdir=/shared/run
# The workdir and the data must be on a file system that all machines see. After a failure, SLURM
# starts the job again (--requeue), and it resumes from its last checkpoint.
#SBATCH --job-name=keras_fasterseg
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append

PORT=${PORT:-2222}
HOSTS=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed "s/.*/\"&:$PORT\"/" | paste --serial --delimiters=,)
export HOSTS
# If one worker ends with an error, the others are stopped.
srun --kill-on-bad-exit=1 bash -c '
  export TF_CONFIG="{\"cluster\": {\"worker\": [$HOSTS]}, \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
  exec .venv/bin/python -m "$@" --devices=workers' worker "$@"
status=$?
[ $status -eq 0 ] || scontrol requeue "$SLURM_JOB_ID"
exit $status
