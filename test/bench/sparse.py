# SPDX-License-Identifier: Apache-2.0
"""The rows of sparse attention without a GPU: lists, counts and blocks against asking every pair, verdicts, specs.

usage: sparse.py ROOT PART [FOLDER BUILD]; PART is density, pairs, verdicts, compiles or visible (on the simulator).
"""
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path = [str(Path(sys.argv[1]) / "tools/bench"), *sys.path[1:]]  # its sparse.py, not this one
import attn  # noqa: E402
import prefill  # noqa: E402
import rows  # noqa: E402
import sparse  # noqa: E402

PROMPTS = ("blocks", "vertical_slash", "sample", "window", "streaming", "documents", "dense")


def check(what, got, expected):
    if got != expected:
        print(f"{what}: expects {expected}, got {got}")
        sys.exit(1)


def shrink(block, window, cluster):
    """The same arithmetic on sizes that can be asked pair by pair."""
    sparse.BLOCK, prefill.WINDOW, sparse.CLUSTER, sparse.CLUSTERS = block, window, cluster, 2
    sparse.DOCUMENTS, sparse.SPANS, sparse.SINKS = 5, 3, 3
    sparse._inputs.cache_clear()
    sparse._visited.cache_clear()


class Table:
    """A tensor of numbers, indexed by a tuple."""

    def __init__(self, table):
        self.shape, self.values = table

    def __getitem__(self, index):
        at = 0
        for size, i in zip(self.shape, index):
            assert 0 <= i < size, (self.shape, index)
            at = at * size + i
        return self.values[at]


def seen_by(setting):
    """A function that asks about one pair."""
    tables, visible = {name: Table(table) for name, table in sparse.tables_of(setting).items()}, sparse.mask_of(setting)
    return lambda b, h, q, kv: bool(visible(tables, b, h, q, kv))


# --- Lists give the density that is asked for ---

def density():
    for seq in (8192, 16384):
        for percent in (5, 10, 20, 50, 100):
            setting = sparse.setting_of("blocks", seq, percent, heads=2, kv_heads=1)
            count, inputs = seq // 128, sparse.inputs_of(setting)
            asked = percent / 100 * count * (count + 1) / 2
            for head in range(2):
                own = inputs["full_count"][1][head * count:(head + 1) * count]
                assert abs(sum(own) + count - asked) <= 1, (seq, percent, sum(own) + count, asked)
            past = 2 * 128 * 128 * count * (count + 1) / 2
            check("counted", sparse.density_of(setting), sparse.visited_pairs(setting) / past)
    for percent in (5, 20, 100):
        setting = sparse.setting_of("spans", 4096, percent, batch=2, queries=1)
        assert abs(sparse.density_of(setting) - percent / 100) < 1 / 4096, sparse.density_of(setting)
    gathered = sparse.setting_of("gathered", 4096, 20, batch=2, queries=1, kv_heads=32)
    assert abs(sparse.density_of(gathered) - 0.2) < 1 / 4096, sparse.density_of(gathered)
    # By hand: rows of blocks see 1, 2, 3 and 4 blocks at most; half of 10 in all, and each its own.
    check("by hand", sparse.block_counts(4, 50), [1, 1, 1, 2])
    check("all", sparse.block_counts(4, 100), [1, 2, 3, 4])
    for setting in map(small, ("blocks", "vertical_slash", "sample", "gathered", "spans")):
        increasing(setting)
    print("densities agree")


def small(form, seq=64):
    return sparse.setting_of(form, seq, 20, heads=2, kv_heads=1, batch=1 if form in PROMPTS else 2,
                             queries=None if form in PROMPTS else 1)


def increasing(setting):
    shrink(4, 9, 3)
    inputs = sparse.inputs_of(setting)
    for name, count in (("full", "full_count"), ("columns", "column_count"), ("slashes", "slash_count"),
                        ("heavy", "heavy_count"), ("partial", "partial_count")):
        if name in inputs:
            for row, used in zip(sparse.rows_of(inputs[name]), inputs[count][1]):
                assert all(a < b for a, b in zip(row[:used], row[1:used])), (name, row)
    if "spans" in inputs:
        flat = inputs["spans"][1]
        for at in range(0, len(flat), 2 * sparse.SPANS):
            row = list(flat[at:at + 2 * sparse.SPANS])
            check("spans", row, sorted(row))
            assert len(set(row[::2])) == sparse.SPANS, row


# --- Counts and blocks against every pair ---

def pairs():
    for block, window, cluster in ((4, 9, 3), (4, 1, 1), (8, 8, 5), (8, 24, 2), (16, 17, 3)):
        shrink(block, window, cluster)
        for form in (*PROMPTS, "gathered", "spans"):
            setting = small(form)
            check(f"{form} {block} {window}", sparse.visited_pairs(setting), visited_one_by_one(setting))
            if form in PROMPTS and form != "dense":
                blocks_one_by_one(setting)
    check("dense decode", sparse.visited_pairs(sparse.plain_of(small("spans"))), 2 * 2 * 64)
    # By hand: 4 operations a column of 128; the two heads of a dense prompt of 2 blocks of 16 visit 1 and 2 blocks.
    check("work", sparse.work_of({**small("dense"), "seq": 32, "queries": 32}), 4 * 128 * 2 * 3 * 16 * 16)
    print("pairs agree")


def visited_one_by_one(setting):
    """Keys that some query of the group sees, times its queries."""
    sees, seq, total = seen_by(setting), setting["seq"], 0
    group = sparse.BLOCK if setting["queries"] > 1 else 1
    for b in range(setting["batch"]):
        for h in range(setting["heads"]):
            for begin in range(seq - setting["queries"], seq, group):
                total += group * sum(any(sees(b, h, q, kv) for q in range(begin, begin + group)) for kv in range(seq))
    return total


def blocks_one_by_one(setting):
    """Listed is what holds a visible pair; what is listed as whole is."""
    sees, size, heads = seen_by(setting), sparse.BLOCK, sparse.flex_blocks(setting)
    count = setting["seq"] // size
    for h in range(setting["heads"]):
        for i in range(count):
            whole, others = heads[h % len(heads)][i]
            every = [{sees(0, h, q, kv) for q in range(i * size, (i + 1) * size) for kv in range(j * size, (j + 1) * size)}
                     for j in range(count)]
            name = f"{setting['form']} head {h} row {i}"
            check(name, sorted([*whole, *others]), [j for j in range(count) if True in every[j]])
            assert all(every[j] == {True} for j in whole), (name, list(whole))
            # Blocks that hold every pair take the mask only where chance filled them.
            if setting["form"] in ("window", "documents"):
                check(f"{name} whole", list(whole), [j for j in range(i) if every[j] == {True}])


# --- Verdicts ---

class Fake:
    """Every system takes the time that it is given."""
    chip = "NVIDIA Pretender"

    def __init__(self, times):
        self.times = times

    def systems(self, setting):
        return {name: lambda name=name: name for name in self.times}

    def time(self, launch):
        return self.times[launch]

    def difference(self, setting, launches):
        return 0.001, 2.0

    def facts(self, setting):
        return sparse.facts_of(setting)

    def rates(self):
        return {"matrix_tflops": 800.0, "copy_gbs": 4000.0}


def verdicts():
    setting = sparse.setting_of("blocks", 8192, 20, heads=2, kv_heads=1)
    ideal = 2080 / 416  # blocks of the past of 64 rows, and a fifth of them
    measure = lambda ours, **times: rows.measure(sparse, setting, Fake({"attn": ours, "attn_dense": 1000.0, **times}), 1)
    row = measure(1000 / 4.5, flex=300.0)
    assert abs(row["rate_to_twin"] - 4.5 / ideal) < 1e-9 and abs(row["density"] - 0.2) < 1e-9, row
    check("pairs", row["visited_pairs"], 2 * 416 * 128 * 128)
    check("won", row["won"], True)
    check("no share, no peer, a faster peer", [measure(1000 / 4.2, flex=300.0)["won"], measure(1000 / 4.5)["won"],
                                               measure(1000 / 4.5, flex=200.0)["won"]], [False, False, False])
    check("no other", row["failures"], {"flash3": "its function has no blocks"})
    window = rows.measure(sparse, sparse.setting_of("window", 8192), Fake({"attn": 9.0, "attn_dense": 10.0, "flex": 9.0}), 1)
    check("window", (window["missing"], window["won"]), (["flash3"], False))
    print(rows.columns(sparse))
    print(rows.line_of(sparse, row))
    print("names:", len({sparse.name_of(each) for each in sparse.settings()}))


# --- Specs ---

def compiles():
    """Every spec of the rows and of their twins, for this generation."""
    folder = Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    each = [setting for row in sparse.settings() for setting in (row, sparse.plain_of(row))]
    texts = {sparse.spec_of(setting).split("\n", 1)[1] for setting in each}
    for text in sorted(texts):
        (folder / "sparse.mlir").write_text(text)
        subprocess.run([Path(sys.argv[4]) / "bin/attnc", "--target", "sm_90a", folder / "sparse.mlir", "-o",
                        folder / "sparse.ptx"], check=True)
    print(f"{len(texts)} specs compile")


def visible():
    """All scores are equal and the values are parts of a unit matrix, so a row of the output shows which keys it saw: the
    kernels take the lists as they are made here, and see the pairs that are counted. Two heads are enough for that."""
    shrink(128, 40, 3)
    device = attn.Device(attn.Library(Path(sys.argv[4]) / "lib/libattn.so"), "sim")
    folder = Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    for form in ("blocks", "vertical_slash", "gathered", "spans", "streaming", "documents"):
        setting = sparse.setting_of(form, 256, 60 if form == "blocks" else 20, queries=None if form in PROMPTS else 1, heads=2,
                                    kv_heads=2 if form == "gathered" else 1, dtype="f16" if form == "gathered" else "bf16")
        (folder / "visible.mlir").write_text(sparse.spec_of(setting).replace("32x", "2x").replace("8x128x", "1x128x"))
        kernel = device.load(folder / "visible.mlir", target="sm_80", cache=folder, compiler=Path(sys.argv[4]) / "bin/attnc")
        seen, sees = seen_pairs(device, kernel, setting), seen_by(setting)
        expected = {(h, q, kv) for h in range(2) for q in range(256 - setting["queries"], 256) for kv in range(256)
                    if sees(0, h, q, kv)}
        assert seen == expected, (form, len(seen), len(expected), sorted(seen ^ expected)[:5])
    print("the specs see what is counted")


def seen_pairs(device, kernel, setting):
    """Of two launches, one for each half of the keys."""
    dim, seen, heads, kv_heads, queries = 128, set(), setting["heads"], setting["kv_heads"], setting["queries"]
    one = b"\x80\x3f" if setting["dtype"] == "bf16" else b"\x00\x3c"
    paged = setting["form"] == "gathered"
    zeros = bytes(2 * queries * heads * dim)
    for half in range(2):
        unit = [bytes(2 * c) + one + bytes(2 * (dim - c - 1)) for c in range(dim)]
        values = b"".join((unit[kv % 128] if kv // 128 == half else bytes(2 * dim)) * kv_heads for kv in range(256))
        shape = (16, 16, kv_heads, dim) if paged else (1, 256, kv_heads, dim)
        query = (zeros, setting["dtype"], (1, queries, heads, dim))
        content = {"q": query, "o": query, "k": (bytes(len(values)), setting["dtype"], shape),
                   "v": (values, setting["dtype"], shape),
                   "page_table": (b"".join(i.to_bytes(4, "little") for i in range(16)), "i32", (1, 16)),
                   "kv_lens": ((256).to_bytes(4, "little"), "i32", (1,))}
        content |= {"k_pool": content["k"], "v_pool": content["v"]}
        content |= {name: value if isinstance(value, int) else (value[1].tobytes(), "i32", value[0])
                    for name, value in sparse.inputs_of(setting).items()}
        output = launch(device, kernel, content)
        for h in range(heads):
            for q in range(queries):
                row = output[2 * dim * (q * heads + h):][:2 * dim]
                seen |= {(h, 256 - queries + q, 128 * half + c) for c in range(dim) if row[2 * c:2 * c + 2] != b"\0\0"}
    return seen


def launch(device, kernel, content):
    bound = {}
    for name in kernel.arguments:
        if isinstance(content[name], int):
            bound[name] = content[name]
            continue
        data, dtype, sizes = content[name]
        bound[name] = attn.Tensor(device.allocate(max(1, len(data))), dtype, sizes)
        device.copy_in(bound[name].data, data)
    arguments = kernel.bind(**bound)
    size = kernel.workspace_bytes(arguments)
    kernel.launch(arguments, device.allocate(max(1, size)), size)
    return device.copy_out(bound["o"].data, len(content["o"][0]))


{"density": density, "pairs": pairs, "verdicts": verdicts, "compiles": compiles, "visible": visible}[sys.argv[2]]()
