#!/usr/bin/env bash
# Submits a job array and, after it, the job that merges its shards. See README.md beside this file.
#
#   deploy/slurm/submit.sh evaluate SHARDS FOLDER MODEL --data DIR ...      -> FOLDER/report.json
#   deploy/slurm/submit.sh generate SHARDS FOLDER MODEL --prompts FILE ...  -> FOLDER/manifest.json
#
# MODELZOO is the command to run (default: modelzoo); SBATCH_ARGS are arguments for every sbatch.
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
verb=$1 shards=$2 folder=$3
shift 3
case $verb in evaluate | generate) ;; *) echo "evaluate or generate, not '$verb'" >&2; exit 2 ;; esac
mkdir -p "$folder/log"
folder=$(cd "$folder" && pwd)
export MODELZOO=${MODELZOO:-modelzoo} SHARDS=$shards FOLDER=$folder

# shellcheck disable=SC2086 # several arguments
array=$(sbatch --parsable ${SBATCH_ARGS:-} --array="1-$shards" --output="$folder/log/shard-%a.log" "$here/shard.sbatch" "$verb" "$@")
# shellcheck disable=SC2086
merge=$(sbatch --parsable ${SBATCH_ARGS:-} --dependency="afterok:$array" --kill-on-invalid-dep=yes --output="$folder/log/merge.log" "$here/merge.sbatch" "$verb")
echo "$array $merge"
