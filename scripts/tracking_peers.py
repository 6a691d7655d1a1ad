#!/usr/bin/env python3
"""Other trackers behind one command line, so that each runs in a process of its own: used by bench_tracking.py.

  tracking_peers.py NAME DETECTIONS.csv OUT_FOLDER --radius PX [--gaps N] [--btrack-config FILE]

NAME: hungarian, hungarian+split, laptrack, laptrack+gaps, btrack. DETECTIONS.csv has frame, x, y. OUT_FOLDER gets tracks.csv (track_id, frame, x, y,
parent_id) and seconds.json (time of the tracking alone, without imports, reading and writing).
"""
import argparse, csv, json, os, time
import numpy as np


def read(path):
    table = np.genfromtxt(path, delimiter=",", names=True, usecols=("frame", "x", "y"))
    table = np.atleast_1d(table)
    n = int(table["frame"].max()) + 1
    order = np.argsort(table["frame"], kind="stable")
    frames, xy = table["frame"][order].astype(int), np.stack([table["x"][order], table["y"][order]], axis=1)
    return np.split(xy, np.searchsorted(frames, np.arange(1, n)))


def from_successors(coords, links, daughters):
    """links: (t, i) -> (t', j); daughters: (t, i) -> [(t', j), (t', k)]: -> rows of tracks.csv"""
    before = set(links.values()) | {d for ds in daughters.values() for d in ds}
    rows, next_id = [], 1
    starts = [((t, i), 0) for t, xy in enumerate(coords) for i in range(len(xy)) if (t, i) not in before]
    while starts:
        node, parent = starts.pop()
        track, next_id = next_id, next_id + 1
        while True:
            rows.append((track, node[0], *coords[node[0]][node[1]], parent))
            if node in daughters:
                starts += [(d, track) for d in daughters[node]]
                break
            if node not in links:
                break
            node = links[node]
    return rows


def hungarian(coords, radius, split):
    """Frame-to-frame assignment of squared distances, birth and death at radius squared each (a pair costs at most radius squared, so it is never worth
    less than both); with `split` each unlinked new cell becomes the second daughter of the nearest linked cell within the radius."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist
    links, daughters = {}, {}
    for t in range(len(coords) - 1):
        a, b = coords[t], coords[t + 1]
        if not len(a) or not len(b):
            continue
        d = cdist(a, b, "sqeuclidean")
        cost = np.where(d <= radius * radius, d, 2 * radius * radius)
        pairs = [(i, j) for i, j in zip(*linear_sum_assignment(cost)) if d[i, j] <= radius * radius]
        links.update({(t, i): (t + 1, j) for i, j in pairs})
        if split:
            taken, linked = {j for _, j in pairs}, {i for i, _ in pairs}
            for j in range(len(b)):
                if j in taken or not linked:
                    continue
                i = min(linked, key=lambda i: d[i, j])
                if d[i, j] <= radius * radius and (t, i) not in daughters:
                    daughters[t, i] = [links[t, i], (t + 1, j)]
    for mother in daughters:
        links.pop(mother)
    return from_successors(coords, links, daughters)


def laptrack(coords, radius, gaps):
    from laptrack import LapTrack
    r = radius * radius
    tracker = LapTrack(cutoff=r, splitting_cutoff=r, gap_closing_cutoff=r if gaps else False, gap_closing_max_frame_count=gaps or 1)
    tree = tracker.predict(coords)
    links, daughters = {}, {}
    for node in tree.nodes:
        after = [tuple(map(int, n)) for n in tree.successors(node)]
        node = tuple(map(int, node))
        if len(after) == 1:
            links[node] = after[0]
        elif after:
            daughters[node] = after
    return from_successors(coords, links, daughters)


def btrack(coords, radius, config):
    import btrack
    from btrack import utils
    if config is None:
        from btrack import datasets
        config = datasets.cell_config()
    rows = np.array([(t, x, y, 0.0) for t, xy in enumerate(coords) for x, y in xy])
    objects = []
    for number, (t, x, y, z) in enumerate(rows):
        o = btrack.btypes.PyTrackObject()
        o.ID, o.t, o.x, o.y, o.z, o.label, o.dummy = number, int(t), x, y, z, 5, False
        objects.append(o)
    with btrack.BayesianTracker(verbose=False) as tracker:
        tracker.configure(config)
        tracker.max_search_radius = 2 * radius
        tracker.append(objects)
        high = np.concatenate([xy for xy in coords if len(xy)]).max(axis=0) + 1
        tracker.volume = ((0, high[0]), (0, high[1]), (-1e5, 1e5))
        tracker.track(step_size=100)
        tracker.optimize()
        tracks = tracker.tracks
    out = []
    for track in tracks:
        parent = track.parent if track.parent != track.ID else 0
        # Points that btrack filled in are no objects of the table: left out, as its own export of objects does.
        out += [(track.ID, int(t), x, y, parent or 0) for t, x, y, dummy in zip(track.t, track.x, track.y, track.dummy) if not dummy]
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("name"), ap.add_argument("detections"), ap.add_argument("out")
    ap.add_argument("--radius", type=float, required=True), ap.add_argument("--gaps", type=int, default=2), ap.add_argument("--btrack-config")
    a = ap.parse_args()
    coords = read(a.detections)
    run = {"hungarian": lambda: hungarian(coords, a.radius, False), "hungarian+split": lambda: hungarian(coords, a.radius, True),
           "laptrack": lambda: laptrack(coords, a.radius, 0), "laptrack+gaps": lambda: laptrack(coords, a.radius, a.gaps),
           "btrack": lambda: btrack(coords, a.radius, a.btrack_config)}[a.name]
    start = time.perf_counter()
    rows = run()
    seconds = time.perf_counter() - start
    os.makedirs(a.out, exist_ok=True)
    with open(a.out + "/tracks.csv", "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["track_id", "frame", "x", "y", "parent_id"])
        writer.writerows((k, t, f"{x:.3f}", f"{y:.3f}", p) for k, t, x, y, p in rows)
    json.dump(dict(tracking=seconds), open(a.out + "/seconds.json", "w"))


if __name__ == "__main__":
    main()
