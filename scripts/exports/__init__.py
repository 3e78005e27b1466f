"""The checks of check_exports.py: trainers' own code reads what `madmix export` wrote."""
