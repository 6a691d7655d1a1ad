#!/usr/bin/env python3
"""Times `phenosure bench` beside torch, onnxruntime and OpenVINO and writes reports/engine.md, its figure and reports/runs/engine.json.

    scripts/bench_engine.py                      everything: about ten minutes on a quiet machine of two cores
    scripts/bench_engine.py --only nuclei,resnet --rounds 3     some rows, fewer rounds; the report is printed, not written
    scripts/bench_engine.py --report             the report again from reports/runs/engine.json

Needs Python 3.11 with, as measured: torch==2.15.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy==2.4.6
matplotlib==3.11.2, and a C++ compiler for torch.compile. (The torch wheel of the main package index is the CUDA build; it runs on the CPU.)

Method. One thread: the processor time of the process, which does not count what others do on the machine. Every engine is built and
warmed up; then, each round, all engines run once in a fresh random order: one call that refills the caches, then timed ones. Reported
is the median over rounds of the ratio to the best peer of the same round, with the quartiles. The networks of the peers hold the
project's own weights and see the same images; every engine's output is compared with the same network in torch f64.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from engine_peers import report  # noqa: E402
from engine_peers.rows import DRAWS, MEMBERS, ROWS  # noqa: E402
from engine_peers.worker import environment  # noqa: E402

RUN = os.path.join(ROOT, "reports", "runs", "engine.json")


def say(text):
    print(f"# {text}", file=sys.stderr, flush=True)


class Ours:
    """The program, called anew each time: it warms up by itself."""

    def __init__(self, binary, row):
        self.command = [binary, "bench", row["network"], "--size", str(row["size"]), "--batch", str(row["batch"]), "--threads", str(row["threads"]), "--json", "-q"]
        if row["isa"] != "native":
            self.command += ["--isa", row["isa"]]
        if row["train"]:
            self.command.append("--train")

    def run(self, iterations, *more):
        env = dict(os.environ, RAYON_NUM_THREADS=self.command[self.command.index("--threads") + 1])
        done = subprocess.run([*self.command, "--iters", str(iterations), *more], capture_output=True, text=True, env=env)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(self.command)} ended with {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)


def milliseconds(answer, row):
    return answer["cpu_ms"] if row["threads"] == 1 else answer["ms"]


class Worker:
    """A process of the peers of one row."""

    def __init__(self, row):
        env = dict(os.environ, **environment(row["threads"], row["isa"]))
        command = [sys.executable, "-W", "ignore", "-m", "engine_peers.worker", json.dumps(row)]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, cwd=os.path.join(ROOT, "scripts"), env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise SystemExit(f"the peers' process ended: {self.log.read()[-2000:]}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def measure_speed(row, binary, rounds, folder):
    ours = Ours(binary, row)
    row = dict(row, bundles=os.path.join(ROOT, "crates", "engine", "bundles"), export=os.path.join(folder, f"{row['name']}.safetensors"))
    first = ours.run(1, "--export", row["export"])
    worker, failed, versions, warm = Worker(row), {}, {}, []
    for engine in row["engines"]:
        answer = worker.ask(build=engine)
        if "error" in answer:
            failed[engine] = answer["error"]
            say(f"{row['name']}: {engine} does not run: {answer['error']}")
        else:
            warm.append(engine)
    versions = worker.ask(versions=True)["versions"]
    result = dict(row=row["name"], failed=failed, versions=versions, ms={engine: [] for engine in ["ours", *warm]}, rounds=[], ours=[])
    shuffled = random.Random(row["name"])
    for _ in range(rounds):
        order, medians = ["ours", *warm], {}
        shuffled.shuffle(order)
        for engine in order:
            if engine == "ours":
                answer = ours.run(row["iterations"])
                times = milliseconds(answer, row)
                result["ours"].append({key: answer[key] for key in ("real", "peak_flops", "plain_share_of_peak", "isa", "multiply_adds", "working_set_bytes")})
            else:
                times = worker.ask(time=engine, iterations=row["iterations"])["ms"]
            result["ms"][engine] += times
            medians[engine] = statistics.median(times)
        result["rounds"].append(medians)
    if row["train"]:
        # The same training in torch f64 says whether these are the same steps.
        result["losses"] = dict(ours=first["losses"], torch_f64=worker.ask(losses=len(first["losses"]))["losses"])
    else:
        result["difference"] = {engine: worker.ask(accuracy=engine).get("difference") for engine in ["ours", *warm]}
    worker.close()
    return result


def measure_draws(row, binary, rounds):
    ours = Ours(binary, row)
    calls = {"draws": DRAWS, "one": 1}
    result = dict(row=row["name"], ms={name: [] for name in calls}, rounds=[])
    shuffled = random.Random(row["name"])
    for _ in range(rounds):
        order, medians = list(calls), {}
        shuffled.shuffle(order)
        for name in order:
            answer = ours.run(row["iterations"], "--members", str(MEMBERS[row["network"]]), "--draws", str(calls[name]))
            times = milliseconds(answer, row)
            result["ms"][name] += times
            medians[name] = statistics.median(times)
        result["rounds"].append(medians)
    return result


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown processor")
    return dict(processor=model, cores=os.cpu_count(), time=time.strftime("%Y-%m-%d", time.gmtime()), load_before=os.getloadavg()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help=f"rows, by commas: {', '.join(row['name'] for row in ROWS)}")
    parser.add_argument("--rounds", type=int, help="rounds of every row (default: each row's own, 5 to 11)")
    parser.add_argument("--binary", help="the program (default: builds target/release/phenosure)")
    parser.add_argument("--report", action="store_true", help="write the report from the last run and measure nothing")
    arguments = parser.parse_args()
    if arguments.report:
        with open(RUN) as file:
            report.write(json.load(file), ROOT)
        return
    names = arguments.only.split(",") if arguments.only else [row["name"] for row in ROWS]
    unknown = set(names) - {row["name"] for row in ROWS}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(row['name'] for row in ROWS)}")
    binary = arguments.binary
    if binary is None:
        subprocess.run(["cargo", "build", "--release", "--locked", "-p", "phenosure"], cwd=ROOT, check=True)
        binary = os.path.join(ROOT, "target", "release", "phenosure")
    run = dict(machine=machine(), version=subprocess.check_output([binary, "--version"], text=True).strip(), results=[])
    start = time.time()
    with tempfile.TemporaryDirectory(prefix="bench_engine") as folder:
        for row in ROWS:
            if row["name"] not in names:
                continue
            rounds = arguments.rounds or row["rounds"]
            say(f"{row['name']}: {rounds} rounds ({time.time() - start:.0f} s since the start)")
            measured = measure_draws(row, binary, rounds) if row["kind"] == "draws" else measure_speed(row, binary, rounds, folder)
            run["results"].append(measured)
            print(report.line(row, measured), flush=True)
    run["machine"]["load_after"] = os.getloadavg()[0]
    run["seconds"] = round(time.time() - start)
    if arguments.only:
        print(report.text(run))
        return
    os.makedirs(os.path.dirname(RUN), exist_ok=True)
    with open(RUN, "w") as file:
        json.dump(run, file, indent=1)
        file.write("\n")
    report.write(run, ROOT)


if __name__ == "__main__":
    main()
