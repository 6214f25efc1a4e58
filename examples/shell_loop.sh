#!/bin/sh
# Population based training in plain sh: fit w to 0 by gradient descent, tuning the learning rate.
#
#     python -c 'import hoptim; hoptim.Study("runs/shell", space={"lr": hoptim.Float(1e-3, 1.0, log=True)},
#                size=4, steps=5, mode="min")'
#     sh examples/shell_loop.sh runs/shell
#
# Any number of copies may run, on any machine that sees the directory; any may be killed at any time.
set -u
study=$1
hoptim=${HOPTIM:-hoptim} # the command
lease=${LEASE:-600}      # seconds, longer than any interval of training; else run `hoptim beat` meanwhile

while :; do
    trial=$($hoptim ask "$study" --lease "$lease" --shell)
    case $? in
    0) eval "$trial" ;; # quoted by hoptim: trial_number, trial_token, ..., and a param_NAME for each
    3) exit 0 ;;        # all is done
    *) exit 1 ;;
    esac

    weight=3
    if [ -n "$trial_checkpoint" ]; then weight=$(cat "$trial_checkpoint"); fi
    weight=$(awk -v w="$weight" -v lr="$param_lr" 'BEGIN { print w - lr * 2 * w }')
    echo "$weight" >"$trial_draft"

    loss=$(awk -v w="$weight" 'BEGIN { print w * w }')
    $hoptim tell "$study" "$trial_number" --token "$trial_token" \
        --value "$loss" --checkpoint "$trial_draft" --metric weight="$weight" ||
        echo "Trial $trial_number is lost; on to the next one." >&2
done
