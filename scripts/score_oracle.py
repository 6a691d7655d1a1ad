#!/usr/bin/env python3
"""Numbers that the scores of crate `track` are tested against: damaged copies of annotated movies, scored by two other programs.

  score_oracle.py DATA_FOLDER SCORER.py OUT.json

SCORER.py has score_dirs(truth, result) and score_points(truth.csv, result.csv, radius); the other program is py-ctcmetrics. Damages are arithmetic (no random
numbers), so that the test makes the same ones: see `edits`. Only numbers are written, no data.
"""
import csv, importlib.util, json, os, sys, tempfile
import numpy as np
import tifffile
from skimage import io

MASKS = ["c2c12_frames", "simplus_nuclei"]
POINTS = ["c2c12_frames", "c2c12_tracks_f0002", "c2c12_tracks_f0017"]
VARIANTS = [["drop"], ["swap"], ["merge"], ["late"], ["false", "shift"], ["drop", "swap", "merge", "late", "false", "shift"]]


def edits(present, tracks, flags):
    """present: list of sets of track numbers; -> per frame {track: new number, 0 = gone}, tracks {number: (first, last, parent)}"""
    n = len(present)
    new = [{k: k for k in f} for f in present]
    parent = {k: t[2] for k, t in tracks.items()}
    half = n // 2
    if "late" in flags:
        for p in sorted({q for q in parent.values() if q and q % 2 == 0}):
            children = sorted(k for k in parent if parent[k] == p)
            if len(children) != 2:
                continue
            a, b = children
            start = tracks[a][0]
            if tracks[b][0] == start == tracks[p][1] + 1 and min(tracks[a][1], tracks[b][1]) > start:
                new[start][a], new[start][b] = 0, p
    if "swap" in flags:
        for k in sorted(tracks):
            if k % 6 == 1 and k in present[half] and k + 1 in present[half]:
                for t in range(half, n):
                    for old in list(new[t]):
                        if new[t][old] in (k, k + 1):
                            new[t][old] = 2 * k + 1 - new[t][old]
                for c in parent:
                    if parent[c] in (k, k + 1) and tracks[c][0] > half:
                        parent[c] = 2 * k + 1 - parent[c]
    if "merge" in flags:
        for t in range(2, n, 5):
            for k in sorted(present[t]):
                if k % 8 == 3 and k + 1 in present[t] and new[t][k]:
                    new[t][k + 1] = new[t][k]
    if "drop" in flags:
        for t in range(n):
            for k in present[t]:
                if (7 * k + 13 * t) % 19 == 0:
                    new[t][k] = 0
    # Runs without a gap: the first keeps the number, each later one is a new track whose parent is the run before.
    frames = {}
    for t in range(n):
        for k in set(new[t].values()) - {0}:
            frames.setdefault(k, []).append(t)
    top = max(max(tracks), max(frames))
    rename, out, last_run = {}, {}, {}
    for k in sorted(frames):
        runs = []
        for t in frames[k]:
            if runs and runs[-1][1] == t - 1:
                runs[-1][1] = t
            else:
                runs.append([t, t])
        before = None
        for first, last in runs:
            name = k if before is None else top + 1
            top = max(top, name)
            out[name] = [first, last, before]
            for t in range(first, last + 1):
                rename[t, k] = name
            before = name
        last_run[k] = before
    for k, track in out.items():
        if track[2] is None:
            p = last_run.get(parent.get(k, 0), 0)
            track[2] = p if p and out[p][1] < track[0] else 0
    new = [{k: rename.get((t, v), 0) for k, v in f.items()} for t, f in enumerate(new)]
    return new, {k: tuple(v) for k, v in out.items()}


def write_tracks(path, tracks):
    with open(path, "w") as f:
        f.writelines(f"{k} {b} {e} {p}\n" for k, (b, e, p) in sorted(tracks.items()))


def read_tracks(folder):
    return {int(l.split()[0]): tuple(map(int, l.split()[1:4])) for l in open(folder + "/man_track.txt") if l.strip()}


def false_box(t, shape):
    y, x = (t * 53) % (shape[0] - 9), (t * 37) % (shape[1] - 9)
    return slice(y, y + 9), slice(x, x + 9)


def masks(data, name, flags, scorer):
    from ctc_metrics.scripts.evaluate import evaluate_sequence
    folder = f"{data}/{name}"
    tracks = read_tracks(folder)
    images = [io.imread(f"{folder}/labels/{f}") for f in sorted(os.listdir(folder + "/labels"))]
    new, result = edits([set(np.unique(i).tolist()) - {0} for i in images], tracks, flags)
    out = []
    top = max(max(result), max(tracks)) + 1
    for t, image in enumerate(images):
        lut = np.zeros(int(image.max()) + 1, np.uint16)
        for k, v in new[t].items():
            lut[k] = v
        image = lut[image]
        if "shift" in flags:
            image = np.concatenate([np.zeros((image.shape[0], 3), np.uint16), image[:, :-3]], axis=1)
        if "false" in flags:
            box = false_box(t, image.shape)
            if (image[box] == 0).all():
                image[box] = top
                result[top] = (t, t, 0)
                top += 1
        out.append(image)
    with tempfile.TemporaryDirectory() as d:
        os.makedirs(d + "/01_GT/TRA"), os.makedirs(d + "/01_RES")
        for t, (a, b) in enumerate(zip(images, out)):
            tifffile.imwrite(f"{d}/01_GT/TRA/man_track{t:03}.tif", a.astype(np.uint16))
            tifffile.imwrite(f"{d}/01_RES/mask{t:03}.tif", b)
        # A shift can push an object out of the picture or a merge can hide one: spans as the images have them.
        spans = {}
        for t, image in enumerate(out):
            for k in set(np.unique(image).tolist()) - {0}:
                spans.setdefault(k, [t, t])[1] = t
        assert {k: tuple(v) for k, v in spans.items()} == {k: v[:2] for k, v in result.items()}, (name, flags)
        write_tracks(d + "/01_GT/TRA/man_track.txt", tracks), write_tracks(d + "/01_RES/res_track.txt", result)
        mine = scorer.score_dirs(d + "/01_GT/TRA", d + "/01_RES")
        ctc = evaluate_sequence(d + "/01_RES", d + "/01_GT", ["Valid", "CHOTA", "HOTA", "DET", "TRA", "LNK", "CT", "TF", "BC", "CCA"], threads=1)
    assert ctc["Valid"] == 1, (name, flags)
    keep = ["CHOTA", "HOTA", "DET", "TRA", "LNK", "CT", "TF", "CCA", "AOGM"] + [f"AOGM_{k}" for k in ("NS", "FN", "FP", "ED", "EA", "EC")] + [f"BC({i})" for i in range(3)]
    return dict(scorer=mine, ctcmetrics={k: None if ctc[k] is None else float(ctc[k]) for k in keep})


def points(data, name, flags, scorer):
    rows = list(csv.DictReader(open(f"{data}/{name}/tracks.csv")))
    n = max(int(r["frame"]) for r in rows) + 1
    present, tracks = [set() for _ in range(n)], {}
    for r in rows:
        k, t = int(r["track_id"]), int(r["frame"])
        present[t].add(k)
        b, e, _ = tracks.get(k, (t, t, 0))
        tracks[k] = (min(b, t), max(e, t), int(r["parent_id"]))
    new, result = edits(present, tracks, flags)
    top = max(max(result), max(tracks)) + 1
    lines, used = ["track_id,frame,x,y,parent_id"], set()
    for r in rows:
        k, t = int(r["track_id"]), int(r["frame"])
        v = new[t][k]
        # A merge leaves one point: that of the lower number.
        if v and (t, v) not in used:
            used.add((t, v))
            # No round numbers: two matchings of the same total distance would both be right.
            dx, dy = [(a % 7 - 3) * 1.01 + (b % 101) * 0.0037 for a, b in ((31 * k + 17 * t, 13 * k + 29 * t), (11 * k + 5 * t, 41 * k + 3 * t))] if "shift" in flags else (0, 0)
            lines.append(f"{v},{t},{float(r['x']) + dx},{float(r['y']) + dy},{result[v][2]}")
    if "false" in flags:
        for t in range(n):
            lines.append(f"{top + t},{t},{(t * 97) % 1392},{(t * 61) % 1040},0")
    with tempfile.TemporaryDirectory() as d:
        open(d + "/res.csv", "w").write("\n".join(lines) + "\n")
        return dict(scorer=scorer.score_points(f"{data}/{name}/tracks.csv", d + "/res.csv", 8.0))


def main():
    data, scorer_path, out = sys.argv[1:4]
    spec = importlib.util.spec_from_file_location("scorer", scorer_path)
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    cases = []
    for kind, names, make in (("masks", MASKS, masks), ("points", POINTS, points)):
        for name in names:
            for flags in VARIANTS:
                cases.append(dict(kind=kind, set=name, flags=flags, **make(data, name, flags, scorer)))
                print(kind, name, flags, cases[-1]["scorer"]["TRA"], cases[-1]["scorer"]["division_F1_1"])
    command = "scripts/score_oracle.py DATA_FOLDER SCORER.py crates/track/tests/fixtures/score_oracle.json"
    json.dump(dict(command=command, programs=["score_tracking.py", "py-ctcmetrics 1.3.3"], cases=cases), open(out, "w"), indent=1)


if __name__ == "__main__":
    main()
