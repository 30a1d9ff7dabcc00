# SPDX-License-Identifier: Apache-2.0
"""The benchmark's rows, counts, verdicts and result file without a GPU: against brute force and a backend that pretends.

usage: measure.py ROOT PART [FOLDER [BUILD]]; PART is counts, verdicts, result, specs (which writes every spec into FOLDER),
compiles or visible (which runs specs on the simulator).
"""
import json
import math
import struct
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(sys.argv[1]) / "tools/bench"))
import attn  # noqa: E402
import decode  # noqa: E402
import prefill  # noqa: E402
import rows  # noqa: E402

RATES = {"matrix_tflops": 800.0, "copy_gbs": 4000.0}


def check(what, got, expected):
    if got != expected:
        print(f"{what}: expects {expected}, got {got}")
        sys.exit(1)


# --- Counts ---

def document_table(setting):
    """The document of each entry of each row."""
    return {(row, entry): document
            for row, lengths in enumerate(prefill.document_lengths(setting))
            for entry, document in enumerate(d for d, length in enumerate(lengths) for _ in range(length))}


def pairs_one_by_one(setting):
    """Asks about every pair."""
    table = document_table(setting)
    visible = prefill.mask_of(setting) or (lambda *_: True)
    return sum(bool(visible(table, b, q, kv)) for b in range(setting["batch"])
               for q in range(setting["seq"]) for kv in range(setting["seq"]))


def counts():
    prefill.WINDOW = 8  # the same arithmetic on sizes that can be asked pair by pair
    for variant, causal in (("plain", False), ("plain", True), ("window", True), ("softcap", True), ("documents", True)):
        for seq in (1, 5, 8, 9, 30):
            setting = prefill.setting_of(seq, 2, 64, batch=2, variant=variant, causal=causal)
            check(prefill.name_of(setting), prefill.visible_pairs(setting), pairs_one_by_one(setting))
    # By hand: 3 queries see 1, 2 and 3 keys; 2 heads; products of 192 and 128 columns, two operations each.
    check("operations", prefill.work_of(prefill.setting_of(3, 2, 192, value_dim=128)), 2 * 6 * 2 * (192 + 128))
    check("as published", prefill.work_of(prefill.setting_of(4096, 16, 128, batch=4, causal=False)), 4 * 4 * 16 * 4096**2 * 128)
    # By hand: 10 keys and values of 2 x 4 columns, one query and one output of 4 x 4, two bytes each.
    one = decode.setting_of("x", 4, 2, [10], head_dim=4)
    check("bytes", decode.work_of(one), 2 * (2 * 10 * 2 * 4 + 2 * 4 * 4))
    paged = decode.setting_of("x", 4, 2, [10, 17], head_dim=4, page=16, layout="pages")
    check("pages", decode.pages_of(paged), [1, 2])
    check("bytes of pages", decode.work_of(paged), 2 * (2 * 27 * 2 * 4 + 2 * 2 * 4 * 4) + 4 * 2 + 4 * 3)
    check("memory of pages", decode.cache_bytes(paged), 3 * 16 * 2 * 2 * 4 * 2)
    # A shared prefix is read once; without sharing once a sequence.
    shared = decode.setting_of("x", 4, 2, [10, 10], head_dim=4, prefix=100, layout="shared")
    check("bytes shared", decode.work_of(shared), 2 * (2 * 120 * 2 * 4 + 2 * 2 * 4 * 4))
    check("bytes unshared", decode.work_of(decode.unshared_of(shared)), 2 * (2 * 220 * 2 * 4 + 2 * 2 * 4 * 4))
    # Two parts of one row of one head: 128 columns and one statistic each in f32; the output in two bytes, its lse.
    merge = {**decode.merge_setting_of(2, 1), "heads": 1}
    check("bytes of a merge", decode.work_of(merge), 2 * 129 * 4 + 128 * 2 + 4)
    copies()
    print("counts agree")


def copies():
    """Sets of inputs go past the cache unless they are too many or memory ends."""
    cache = 60 << 20
    for setting in decode.settings():
        many = decode.copies_of(setting, cache)
        assert many >= 1 and many * decode.cache_bytes(setting) <= decode.MEMORY, decode.name_of(setting)
        assert decode.launches_of(many) % many == 0 and decode.launches_of(many) >= 16, decode.name_of(setting)
        enough = many * decode.cache_bytes(setting) >= 8 * cache
        assert enough or many == 512, decode.name_of(setting)
        check("past the cache", decode.is_past_cache(setting, cache, many), many * decode.cache_bytes(setting) >= 2 * cache)
    check("sets of a large row", decode.copies_of(decode.setting_of("x", 32, 8, [128 * 1024] * 32), cache), 1)


# --- A backend that pretends ---

class Fake:
    """Every system takes the time that it is given; one without a time fails, one that is left out is not offered."""
    chip = "NVIDIA Pretender"

    def __init__(self, times, difference=(0.001, 2.0), broken=False):
        self.times, self.wrong, self.broken, self.order = times, difference, broken, []

    def systems(self, setting):
        if self.broken:
            raise MemoryError("out of memory\nand a long story")
        return {name: lambda name=name: self.make(name) for name in self.times}

    def make(self, name):
        if self.times[name] is None:
            raise ImportError(f"No module named '{name}'")
        return name

    def time(self, launch):
        self.order.append(launch)
        return self.times[launch] + self.order.count(launch)  # rounds differ; the middle one counts

    def difference(self, setting, launches):
        return self.wrong if "attn" in launches else None

    def facts(self, setting):
        return {}

    def rates(self):
        return RATES

    def versions(self):
        return {"torch": "none"}


def verdicts():
    plain, window = prefill.setting_of(512, 32, 64, batch=32), prefill.setting_of(2048, 64, 64, kv_heads=8, variant="window")
    times = {"attn": 98, "attn_sm80": 198, "attn_plain": 98, "sdpa_flash": 298, "sdpa_cudnn": 118, "flash3": 148, "flex": None}
    fake = Fake(times)
    row = rows.measure(prefill, plain, fake, 3)
    check("turns", fake.order[:6], ["attn", "attn_sm80", "sdpa_flash", "sdpa_cudnn", "flash3", "attn"])
    check("medians", row["median_us"], {"attn": 100, "attn_sm80": 200, "sdpa_flash": 300, "sdpa_cudnn": 120, "flash3": 150})
    check("best peer", (row["best_peer"], row["ratio_to_best_peer"], row["won"]), ("sdpa_cudnn", 1.2, True))
    tflops = prefill.work_of(plain) / 100e-6 / 1e12
    check("shares", row["shares"]["attn"], {"tflops": tflops, "of_matrix_rate": tflops / 800})
    check("failures", row["failures"], {
        "attn_plain": "a plain row is its own twin", "flex": "ImportError: No module named 'flex'",
        "sdpa_efficient": "not part of this run"})
    # As fast as the best is won, slower is not; nor is a row without one of the fastest, or with another answer.
    won = lambda kind, setting, change, **more: rows.measure(kind, setting, Fake({**times, **change}, **more), 3)["won"]
    check("won", [won(prefill, plain, {}), won(prefill, plain, {"attn": 118}), won(prefill, plain, {"attn": 119}),
                  won(prefill, plain, {"flash3": None}), won(prefill, plain, {"sdpa_cudnn": None}),
                  won(prefill, plain, {"attn": None}), won(prefill, plain, {}, difference=None),
                  won(prefill, plain, {}, difference=(0.04, 2.0)), won(prefill, plain, {}, difference=(float("nan"), 2.0))],
          [True, True, False, False, False, False, False, False, False])
    # A variant is compared with FlexAttention and FlashAttention-3, and with its twin by work a second.
    check("variants", [won(prefill, window, {"flex": 200}), won(prefill, window, {})], [True, False])
    row = rows.measure(prefill, window, Fake({**times, "flex": 200}), 3)
    pairs = prefill.visible_pairs(window) / prefill.visible_pairs(prefill.plain_of(window))
    assert math.isclose(row["rate_to_twin"], pairs), row["rate_to_twin"]
    check("no window there", row["failures"]["sdpa_cudnn"], "PyTorch's function has no window")
    inputs = rows.measure(prefill, plain, Fake(times, broken=True), 3)
    check("no inputs", inputs["failures"]["attn"], "RuntimeError: no inputs: MemoryError: out of memory")
    token = decode.setting_of("grouped", 32, 8, [4096])
    row = rows.measure(decode, token, Fake({"attn": 8, "attn_unsplit": 38, "sdpa_cudnn": 18, "flash3": 18}), 3)
    check("decode", (row["won"], row["ratio_to_twin"]), (True, 4.0))
    share = decode.work_of(token) / 10e-6 / 4e12
    assert math.isclose(row["shares"]["attn"]["of_copy_rate"], share), row["shares"]
    print("verdicts agree")


# --- The result file ---

RESULT = {"kind": str, "chip": str, "date": str, "versions": dict, "measured": dict, "rounds": int, "won": int, "rows": list}
ROW = {"name": str, "setting": dict, "median_us": dict, "shares": dict, "failures": dict, "difference": (float, type(None)),
       "agrees": (bool, type(None)), "missing": list, "best_peer": (str, type(None)), "ratio_to": dict,
       "ratio_to_best_peer": (float, type(None)), "ratio_to_twin": (float, type(None)),
       "rate_to_twin": (float, type(None)), "won": bool}


def check_fields(what, given, fields):
    check(f"{what}: fields", sorted(given), sorted(fields))
    for name, kind in fields.items():
        if not isinstance(given[name], kind):
            print(f"{what}: {name} is {given[name]!r}")
            sys.exit(1)


def result():
    """Every row of every kind, through the file and back; each system of a row has a time or a reason."""
    for name, kind in (("prefill", prefill), ("decode", decode)):
        backend = Fake({system: 99.0 for system in kind.SYSTEMS if system != "flash3"} | {"flash3": None})
        done = [rows.measure(kind, setting, backend, 1) for setting in kind.settings()]
        written = rows.result_of(name, backend, done, 1)
        read = json.loads(json.dumps(written))
        check("through the file", read, written)
        check_fields(name, read, RESULT)
        for row in read["rows"]:
            check_fields(row["name"], row, ROW)
            check(row["name"], sorted([*row["median_us"], *row["failures"]]), sorted(kind.SYSTEMS))
            assert not row["won"] or "flash3" not in kind.required_peers(row["setting"]), row["name"]
        names = [row["name"] for row in read["rows"]]
        check(f"{name}: names", len(set(names)), len(names))
        for line in [rows.columns(kind), rows.line_of(kind, done[0]), *rows.complaints(done)]:
            print(line)
        print(f"{name}: {len(names)} rows")


def specs():
    """Every spec once, with a split line between them; the names of rows change and the texts do not."""
    folder = Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in (("prefill", prefill), ("decode", decode)):
        texts = {}
        for setting in kind.settings():
            texts.setdefault(kind.spec_of(setting).split("\n", 1)[1], setting)
            if kind is decode:
                texts.setdefault(kind.spec_of(setting, 1).split("\n", 1)[1], setting)
                texts.setdefault(kind.spec_of(setting, streamed=True).split("\n", 1)[1], setting)
                if setting["layout"] == "shared":
                    texts.setdefault(kind.spec_of(kind.unshared_of(setting)).split("\n", 1)[1], setting)
        (folder / f"{name}.mlir").write_text("// -----\n".join(texts))
        print(f"{name}: {len(texts)} specs")


# --- The spec, the count and FlexAttention's mask are about the same pairs ---

def visible():
    """All scores are equal and the values are a unit matrix, so row i of the output shows which keys query i saw."""
    prefill.WINDOW = 8
    device = attn.Device(attn.Library(Path(sys.argv[4]) / "lib/libattn.so"), "sim")
    for variant, causal in (("plain", False), ("plain", True), ("window", True), ("softcap", True), ("alibi", True),
                            ("documents", True)):
        setting = prefill.setting_of(30, 1, 64, batch=2, variant=variant, causal=causal)
        seen = seen_pairs(device, setting)
        table, sees = document_table(setting), prefill.mask_of(setting) or (lambda *_: True)
        check(prefill.name_of(setting), seen, {(b, q, kv) for b in range(2) for q in range(30) for kv in range(30)
                                               if sees(table, b, q, kv)})
    print("the specs see what is counted")


def seen_pairs(device, setting):
    batch, seq, dim = setting["batch"], setting["seq"], setting["head_dim"]
    path = Path(sys.argv[3]) / "visible.mlir"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(prefill.spec_of(setting))
    kernel = device.load(path, target="sm_80", cache=path.parent, compiler=Path(sys.argv[4]) / "bin/attnc")
    one = b"\x80\x3f"  # in bf16
    unit = b"".join(one if column == row else bytes(2) for row in range(seq) for column in range(dim))
    table = document_table(setting)
    ids = struct.pack(f"<{batch * seq}i", *(table[b, entry] for b in range(batch) for entry in range(seq)))
    shape = (batch, seq, 1, dim)
    zeros = bytes(batch * seq * dim * 2)
    content = {"q": (zeros, "bf16", shape), "k": (zeros, "bf16", shape), "v": (unit * batch, "bf16", shape),
               "o": (zeros, "bf16", shape), "slopes": (bytes(4), "f32", (1,)), "document": (ids, "i32", (batch, seq))}
    bound = {}
    for name in kernel.arguments:
        data, dtype, sizes = content[name]
        bound[name] = attn.Tensor(device.allocate(len(data)), dtype, sizes)
        device.copy_in(bound[name].data, data)
    arguments = kernel.bind(**bound)
    kernel.launch(arguments, workspace_bytes=kernel.workspace_bytes(arguments))
    output = device.copy_out(bound["o"].data, len(zeros))
    return {(b, q, kv) for b in range(batch) for q in range(seq) for kv in range(seq)
            if any(output[2 * ((b * seq + q) * dim + kv):][:2])}


def compiles():
    """Every prompt's spec for both generations of instructions."""
    texts = {prefill.spec_of(setting).split("\n", 1)[1] for setting in prefill.settings()}
    folder = Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for text in sorted(texts):
        (folder / "prefill.mlir").write_text(text)
        for target in ("sm_80", "sm_90a"):
            subprocess.run([Path(sys.argv[4]) / "bin/attnc", "--target", target, folder / "prefill.mlir", "-o",
                            folder / "prefill.ptx"], check=True)
    print(f"{len(texts)} specs compile")


{"compiles": compiles, "counts": counts, "visible": visible, "verdicts": verdicts, "result": result, "specs": specs}[sys.argv[2]]()
