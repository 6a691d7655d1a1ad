#!/usr/bin/env python3
"""Pictures of a tracker's failures: divisions missed and invented, and wrong links.

  track_failures.py TRUTH.csv RESULT.csv OUT.png --scorer SCORER.py [--frames FOLDER] [--radius 8] [--each 4] [--half 60]

TRUTH.csv and RESULT.csv have track_id, frame, x, y, parent_id; a column `link_probability` of the result puts its surest wrong links first. One row a failure,
three frames around it: pictures where given, true tracks as circles, result tracks as crosses, each with its number. SCORER.py has load_points,
match_points and divisions.
"""
import argparse, csv, glob, importlib.util
import numpy as np


def module(path):
    spec = importlib.util.spec_from_file_location("scorer", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def failures(s, truth, result, radius, probability, each):
    """-> list of (title, frame, x, y)"""
    (g, gt), (r, rt) = truth, result
    n = max(len(g), len(r))
    g, r = g + [[]] * (n - len(g)), r + [[]] * (n - len(r))
    maps = [s.match_points(a, b, radius)[2] for a, b in zip(g, r)]
    back = [{v: k for k, v in m.items()} for m in maps]
    at = [{k: (x, y) for k, x, y in f} for f in g], [{k: (x, y) for k, x, y in f} for f in r]
    true_div, found_div = s.divisions(gt), s.divisions(rt)
    out = []
    for p, children in sorted(true_div.items()):
        end = gt[p][1]
        mothers = {maps[t].get(p) for t in range(max(0, end - 1), min(n, end + 2))} - {None}
        if not any(q in found_div and abs(rt[q][1] - end) <= 1 for q in mothers):
            out.append((f"missed division of {p}", end, *at[0][end][p]))
    missed = out[:each]
    out = []
    for q in sorted(found_div):
        end = rt[q][1]
        p = back[end].get(q)
        if p is None or not any(abs(gt[m][1] - end) <= 1 for m in (p, gt[p][2]) if m in true_div):
            out.append((f"invented division of {q}", end, *at[1][end][q]))
    invented = out[:each]
    wrong = []
    for t in range(n - 1):
        for k in set(at[1][t]) & set(at[1][t + 1]):
            a, b = back[t].get(k), back[t + 1].get(k)
            if a is not None and b is not None and a != b and gt[b][2] != a:
                p = probability.get((t + 1, k))
                wrong.append((-(p if p is not None else 0), f"wrong link in {k}: true {a} to {b}" + (f", p {p:.3f}" if p is not None else ""), t, *at[1][t][k]))
    return missed + invented + [w[1:] for w in sorted(wrong)[:each]]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("truth"), ap.add_argument("result"), ap.add_argument("out"), ap.add_argument("--scorer", required=True), ap.add_argument("--frames")
    ap.add_argument("--radius", type=float, default=8.0), ap.add_argument("--each", type=int, default=4), ap.add_argument("--half", type=float, default=60.0)
    a = ap.parse_args()
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    s = module(a.scorer)
    truth, result = s.load_points(a.truth), s.load_points(a.result)
    probability = {}
    for row in csv.DictReader(open(a.result)):
        if row.get("link_probability"):
            probability[int(float(row["frame"])), int(float(row["track_id"]))] = float(row["link_probability"])
    found = failures(s, truth, result, a.radius, probability, a.each)
    if not found:
        print("no failure")
        return
    images = sorted(glob.glob(a.frames + "/*")) if a.frames else []
    figure, axes = plt.subplots(len(found), 3, figsize=(9, 3 * len(found)), squeeze=False)
    for row, (title, frame, x, y) in zip(axes, found):
        for axis, t in zip(row, (frame - 1, frame, frame + 1)):
            axis.set_xlim(x - a.half, x + a.half), axis.set_ylim(y + a.half, y - a.half), axis.set_xticks([]), axis.set_yticks([])
            axis.set_title(f"frame {t}" if t != frame else f"{title}\nframe {t}", fontsize=7)
            if not 0 <= t < len(truth[0]):
                continue
            if t < len(images):
                from skimage import io
                image = io.imread(images[t])
                axis.imshow(image, cmap="gray", vmax=np.percentile(image, 99.7))
            for (frames, _), mark, color in ((truth, "o", "tab:cyan"), (result, "x", "tab:orange")):
                for k, px, py in frames[t] if t < len(frames) else []:
                    if abs(px - x) < a.half and abs(py - y) < a.half:
                        axis.plot(px, py, mark, color=color, mfc="none", ms=9 if mark == "o" else 5)
                        axis.text(px + 4, py + (-4 if mark == "o" else 8), str(k), color=color, fontsize=6, clip_on=True)
    figure.tight_layout()
    figure.savefig(a.out, dpi=110)
    print(len(found), "failures drawn")


if __name__ == "__main__":
    main()
