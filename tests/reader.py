"""Reads a journal without hoptim, to judge what hoptim wrote. Run it: python tests/reader.py FILE."""

import json
import sys
import zlib
from collections import Counter
from pathlib import Path


def read(path):
    """All records; raises ValueError at the first byte that breaks the chain of lines."""
    records = []
    data = Path(path).read_bytes()
    previous = None
    for line in data.split(b"\n")[:-1]:
        record = json.loads(line[9:])
        if previous is None:  # the first line follows the digits of the uuid
            previous = b"%08x" % zlib.crc32(record["uuid"].encode())
        if line[:9] != b"%08x " % zlib.crc32(previous + line[9:]) or record["n"] != len(records):
            raise ValueError(f"line {len(records) + 1} does not follow")
        records.append(record)
        previous = line[:8]
    if not data.endswith(b"\n"):
        raise ValueError("the last line has no end")
    return records


def judge(path, acknowledged):
    """What is wrong with a journal, given (trial, value) of tells that a worker saw acknowledged."""
    asked, holder, ended, last, wrong, stopped = {}, {}, {}, {}, [], None
    for r in read(path):
        trial = r.get("trial")
        if r["op"] == "ask":
            before = last.get(asked.setdefault(trial, r)["member"])
            if "member" in r and before is not None and r["parent"] != before:
                wrong.append(f"trial {trial} does not go on from trial {before}, which has no value")
            if trial in ended or holder.get(trial) is not None:
                wrong.append(f"trial {trial} was handed out while held or ended")
            if stopped is not None:
                wrong.append(f"trial {trial} was handed out after the study stopped: {stopped}")
            holder[trial] = r["n"]
        elif r["op"] in ("tell", "fail", "release", "reclaim"):
            if holder.get(trial) != r["token"]:
                wrong.append(f"record {r['n']} ends a claim that is not held")
            holder[trial] = None
            if r["op"] == "tell" or r.get("final"):
                ended[trial] = r.get("value")
                without = r["op"] == "tell" and r["value"] is None
                last[asked[trial]["member"]] = trial if without else None
        elif r["op"] == "stop":
            stopped = r["why"]
        elif r["op"] == "drop":
            last = {m: t for m, t in last.items() if t not in r["drops"]}
            wrong.append(f"record {r['n']} says that the checkpoints of trials {r['drops']} are lost")
    places = [(asked[t]["member"], asked[t]["step"]) for t in ended]
    wrong += [f"member and step {p} ended twice" for p, times in Counter(places).items() if times > 1]
    wrong += [f"the told value of trial {t} is gone" for t, v in acknowledged if ended.get(t) != v]
    return wrong, sorted(places)


def judge_params(folder):
    """What is wrong with the hyperparameters of a study's trials, given its space with conditions."""
    space = dict(leaves(json.loads((Path(folder) / "study.json").read_text())["identity"]["space"]))
    asked, wrong = {}, []
    for r in read(Path(folder) / "journal.jsonl"):
        if r["op"] != "ask" or "params" not in r:
            continue
        asked[r["trial"]], params = r, r["params"]

        def applies(name, params=params):
            when = space[name].get("when") or {}
            return all(applies(on) and params.get(on) in values for on, values in when.items())

        if set(params) != {name for name in space if applies(name)}:
            wrong.append(f"trial {r['trial']} has {sorted(params)}")
        if "origin" not in r and r["parent"] is not None:
            kept = [u for name, u in zip(space, r["x"], strict=True) if not applies(name)]
            before = asked[r["parent"]]["x"]
            if kept != [u for name, u in zip(space, before, strict=True) if not applies(name)]:
                wrong.append(f"trial {r['trial']} moves what is not active")
    return wrong


def leaves(node, name=""):
    """Names and settings of the dimensions of a space in study.json, in the order of coordinates."""
    if isinstance(node, dict) and name and isinstance(node.get("type"), str):
        yield from [(name, node)] if node["type"] != "Constant" else []
        return
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node):
        yield from leaves(inner, f"{name}.{key}" if name else str(key))


if __name__ == "__main__":
    print(judge(sys.argv[1], [])[0] or "nothing wrong")
