# SPDX-License-Identifier: Apache-2.0
"""What `tools/bench/run decode` measures: the rows, their specs, their bytes, and who can compute them. No GPU needed."""

UNIT = "TB/s"
K = 1024
ELEMENT, PARTIAL = 2, 4  # bytes of f16 and bf16, and of the f32 that partial results are kept in
MEMORY = 72 << 30        # what the keys and values of one row may take
RAGGED = ([1 * K, 1 * K, 2 * K, 2 * K, 4 * K, 4 * K, 32 * K, 64 * K], [4 * K, 32 * K, 64 * K])

OURS = ("attn",)
TWIN = "attn_unsplit"
UNSHARED = "attn_unshared"
STREAMED = "attn_stream_k"
PEERS = ("sdpa_flash", "sdpa_cudnn", "sdpa_efficient", "flex", "flash3", "torch", "torch_compile")
SYSTEMS = (*OURS, TWIN, UNSHARED, STREAMED, *PEERS)


def setting_of(form, heads, kv_heads, lens, head_dim=128, page=0, prefix=0, dtype="bf16", layout="dense"):
    """One new token for each of `lens` sequences, which hold that many keys of their own."""
    return {"form": form, "layout": layout, "dtype": dtype, "batch": len(lens), "heads": heads, "kv_heads": kv_heads,
            "head_dim": head_dim, "lens": lens, "page": page, "prefix": prefix, "parts": 0}


def merge_setting_of(parts, batch):
    return {**setting_of("merge", 32, 32, [0] * batch, layout="merge"), "parts": parts}


def settings():
    """The rows of two papers, a common model in three layouts, the merge alone, and a prefix that all sequences share."""
    rows = [setting_of("flash_decoding", 16, 2, [256 << i] * (256 >> i), dtype="f16") for i in range(9)]
    rows.append(setting_of("flash_decoding", 16, 2, [128 * K], dtype="f16"))
    for page in (0, 16, 64):
        rows += [setting_of("grouped", 32, 8, [keys] * batch, page=page, layout="pages" if page else "dense")
                 for batch in (1, 8, 64, 256) for keys in (1 * K, 4 * K, 16 * K, 64 * K, 128 * K)]
    rows += [setting_of("lean", heads, heads, [keys])
             for heads in (8, 24, 32, 56) for keys in (1 * K, 4 * K, 16 * K, 64 * K, 256 * K, 512 * K)]
    rows += [setting_of("lean_ragged", 32, 32, lens, layout="lens") for lens in RAGGED]
    rows += [merge_setting_of(parts, batch) for batch in (1, 64) for parts in (2, 8, 32, 128)]
    rows.append(setting_of("prefix", 32, 8, [1 * K] * 64, prefix=32 * K, layout="shared"))
    return [row for row in rows if cache_bytes(row) <= MEMORY]


def name_of(setting):
    if setting["layout"] == "merge":
        return f"merge parts={setting['parts']} batch={setting['batch']} heads={setting['heads']} d={setting['head_dim']}"
    lens = setting["lens"]
    keys = short(lens[0]) if len(set(lens)) == 1 else "+".join(short(length) for length in lens)
    if setting["prefix"]:
        keys = f"{short(setting['prefix'])}+{keys}"
    layout = f"page{setting['page']}" if setting["page"] else setting["layout"]
    return (f"{setting['form']} batch={setting['batch']} keys={keys} heads={setting['heads']}/{setting['kv_heads']} "
            f"d={setting['head_dim']} {layout}")


def short(keys):
    return f"{keys // K}K" if keys % K == 0 else str(keys)


# --- Work ---

def pages_of(setting):
    """Pages of each sequence."""
    return [-(-length // setting["page"]) for length in setting["lens"]]


def cache_bytes(setting):
    """Memory of all keys and values, as they lie: rows of `lens` are as long as the longest, pages are whole."""
    entry = 2 * setting["kv_heads"] * setting["head_dim"] * ELEMENT
    if setting["layout"] == "merge":
        return setting["parts"] * setting["batch"] * setting["heads"] * (setting["head_dim"] + 1) * PARTIAL
    if setting["page"]:
        return sum(pages_of(setting)) * setting["page"] * entry
    return (setting["prefix"] + max(setting["lens"]) * setting["batch"]) * entry


def work_of(setting):
    """Bytes that every program must move: each visible key and value once, queries, outputs, tables and lengths."""
    rows = setting["batch"] * setting["heads"]
    if setting["layout"] == "merge":
        return cache_bytes(setting) + rows * (setting["head_dim"] * ELEMENT + PARTIAL)
    entries = sum(setting["lens"]) + setting["prefix"]
    tables = 4 * setting["batch"] if setting["layout"] in ("pages", "lens") else 0
    tables += 4 * sum(pages_of(setting)) if setting["page"] else 0
    return ELEMENT * setting["head_dim"] * (2 * entries * setting["kv_heads"] + 2 * rows) + tables


def copies_of(setting, cache, most=512):
    """How many sets of inputs a measurement takes in turn, so that the chip's cache holds nothing of the next one.

    Eight caches' worth lie between two uses of the same byte, as far as memory allows; a single set may be larger.
    """
    size = max(cache_bytes(setting), 1)
    return max(1, min(-(-8 * cache // size), MEMORY // size, most))


def is_past_cache(setting, cache, copies):
    """False where even so many sets stay in the chip's cache: such a row does not say what memory allows."""
    return copies * cache_bytes(setting) >= 2 * cache


def launches_of(copies, least=16):
    """Launches of one graph: every set equally often."""
    return copies * -(-least // copies)


def shares_of(setting, microseconds, rates):
    """The columns of a row, for one system: what it reached, and what part of the chip's measured rate that is."""
    terabytes = work_of(setting) / microseconds / 1e6
    return {"tbs": terabytes, "of_copy_rate": terabytes * 1000 / rates["copy_gbs"]}


def figure_of(shares):
    return shares["tbs"]


# --- Specs ---

ARGUMENTS = {
    "dense": "%k: !kv, %v: !kv",
    "lens": "%k: !kv, %v: !kv, %kv_lens: !lens",
    "pages": "%k_pool: !kv, %v_pool: !kv, %page_table: !table, %kv_lens: !lens",
    "shared": "%k_prefix: !prefix, %v_prefix: !prefix, %k: !kv, %v: !kv",
}
SEQUENCES = {
    "dense": ["%kv = attn.dense %k, %v : !kv, !kv"],
    "lens": ["%kv = attn.dense %k, %v[%kv_lens] : !kv, !kv [!lens]"],
    "pages": ["%kv = attn.pages %k_pool, %v_pool[%page_table, %kv_lens] : !kv, !kv [!table, !lens]"],
    "shared": ["%prompt = attn.dense %k_prefix, %v_prefix : !prefix, !prefix", "%prefix = attn.share %prompt",
               "%own = attn.dense %k, %v : !kv, !kv", "%kv = attn.concat %prefix, %own"],
}


def spec_of(setting, splits=None, streamed=False):
    """The text of our kernel: the compiler chooses how many splits, or `splits` says so; or equal shares of all tiles."""
    if setting["layout"] == "merge":
        return merge_spec_of(setting)
    heads, kv_heads, dim, dtype = (setting[key] for key in ("heads", "kv_heads", "head_dim", "dtype"))
    shared = setting["layout"] == "shared"
    named = (lambda *names: f", #attn.dims<{', '.join(names)}>") if shared else (lambda *names: "")
    types = {"q": f"tensor<?x1x{heads}x{dim}x{dtype}{named('batch', 'one', 'heads', 'head_dim')}>",
             "kv": f"tensor<?x{setting['page'] or '?'}x{kv_heads}x{dim}x{dtype}"
                   f"{named('batch', 'seq_own', 'kv_heads', 'head_dim')}>"}
    if shared:
        types["prefix"] = f"tensor<1x?x{kv_heads}x{dim}x{dtype}{named('one', 'seq_prefix', 'kv_heads', 'head_dim')}>"
    if setting["page"]:
        types["table"] = "tensor<?x?xi32>"
    if setting["layout"] in ("pages", "lens"):
        types["lens"] = "tensor<?xi32>"
    schedule = "stream_k" if streamed else "decode" if splits is None else f"decode, num_splits = {splits}"
    lines = [f"!{name} = {text}" for name, text in types.items()]
    lines += [f"attn.kernel @decode(%q: !q, {ARGUMENTS[setting['layout']]}) -> (o: !q) schedule<{schedule}> {{"]
    lines += [f"  {line}" for line in [*SEQUENCES[setting["layout"]], "%s = attn.scores %q, %kv : !q, !attn.seq",
                                       "%p = attn.softmax %s", "%o = attn.output %p, %kv : !attn.seq -> !q",
                                       "attn.return %o : !q"]]
    return f"// {name_of(setting)}\n" + "\n".join(lines) + "\n}\n"


def merge_spec_of(setting):
    parts, heads, dim = setting["parts"], setting["heads"], setting["head_dim"]
    return f"""// {name_of(setting)}
!parts = tensor<{parts}x?x1x{heads}x{dim}xf32>
!stats = tensor<{parts}x?x1x{heads}xf32>
!o = tensor<?x1x{heads}x{dim}x{setting['dtype']}>
!lse = tensor<?x1x{heads}xf32>
attn.kernel @merge(%os: !parts, %lses: !stats) -> (o: !o, lse: !lse) {{
  %o, %lse = attn.merge %os lse %lses : (!parts, !stats) -> (!o, !lse)
  attn.return %o, %lse : !o, !lse
}}
"""


def unshared_of(setting):
    """The same keys with every sequence holding the prefix itself."""
    return {**setting, "layout": "dense", "prefix": 0, "lens": [setting["prefix"] + length for length in setting["lens"]]}


# --- Who can compute a row ---

def unavailable(setting, system):
    """Why a system cannot compute a row at all; None when it should."""
    layout = setting["layout"]
    if layout == "merge":
        return None if system in ("attn", "flash3", "torch", "torch_compile") else "it computes attention, no merge alone"
    if system in ("torch", "torch_compile"):
        return "written for the merge alone"
    if system == UNSHARED and layout != "shared":
        return "nothing is shared"
    if system == "sdpa_flash" and layout == "lens":
        return "it takes no mask, so no lengths"
    return None


def required_peers(setting):
    """A row without these is not won: the fastest on this chip of those that can compute it."""
    return {"merge": ("torch_compile",), "lens": ("flex", "flash3"), "pages": ("flash3",)}.get(
        setting["layout"], ("sdpa_cudnn", "flash3"))
