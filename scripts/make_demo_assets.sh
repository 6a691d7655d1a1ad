#!/usr/bin/env bash
# Makes crates/engine/assets/{bbbc013,mitocheck}.pack, the data that `phenosure demo` and `phenosure demo --planted` carry in the binary.
#
#   scripts/make_demo_assets.sh DATA     DATA holds bbbc013_translocation_half, mitocheck_nuclei and splits
#
# Container ("phenosure-pack 1"): lines of text "SIZE SHA256 NAME" after the first line, an empty line, then the files' bytes one after
# another in that order. Names are sorted, so the same data give the same archive. `engine::demo::archive` reads it.
set -euo pipefail
export LC_ALL=C
data=${1:?usage: scripts/make_demo_assets.sh DATA}
assets=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/crates/engine/assets
mkdir -p "$assets"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# pack FOLDER ARCHIVE: every file below FOLDER, by its path there.
pack() {
    local folder=$1 archive=$2 name
    (
        cd "$folder"
        find . -type f | sed 's|^\./||' | sort >"$work/names"
        printf 'phenosure-pack 1\n'
        while IFS= read -r name; do
            printf '%s %s %s\n' "$(stat -c %s "$name")" "$(sha256sum <"$name" | cut -d' ' -f1)" "$name"
        done <"$work/names"
        printf '\n'
        while IFS= read -r name; do cat "$name"; done <"$work/names"
    ) >"$archive"
    printf '%s: %s files, %s bytes\n' "$archive" "$(wc -l <"$work/names")" "$(stat -c %s "$archive")" >&2
}

# The real plate: images byte for byte, the licence, the source note, the plate map and the reference measurements.
plate=$data/bbbc013_translocation_half
mkdir -p "$work/bbbc013"
cp -r "$plate/images" "$plate/LICENSE.txt" "$plate/SOURCE.md" "$plate/platemap.csv" "$plate/reference_measurements.csv" "$work/bbbc013/"
pack "$work/bbbc013" "$assets/bbbc013.pack"

# The planted plate: known classes of fold 0 (never seen by any member), the untaught class of any fold but 1 (on which the
# arrangement was developed).
# Crops clipped by the frame's edge (bounding box under 64 px) are left out. A file is named CLASS/ROLE_fN_CELL.png.
nuclei=$data/mitocheck_nuclei
mkdir -p "$work/mitocheck"
cp "$nuclei/LICENSE.txt" "$nuclei/SOURCE.md" "$work/mitocheck/"
awk -F, '
    NR == FNR { if (FNR > 1) fold[$1] = $5; next }
    FNR > 1 && $15 == 64 && $16 == 64 {
        if (($4 == "known" && fold[$1] == 0) || ($3 == "ADCCM" && fold[$1] != 1)) print $2, $3 "/" $4 "_f" fold[$1] "_" $1 ".png"
    }' "$data/splits/mitocheck_nuclei.csv" "$nuclei/index.csv" |
    while read -r file name; do
        mkdir -p "$work/mitocheck/$(dirname "$name")"
        cp "$nuclei/$file" "$work/mitocheck/$name"
    done
pack "$work/mitocheck" "$assets/mitocheck.pack"
