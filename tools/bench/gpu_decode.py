# SPDX-License-Identifier: Apache-2.0
"""The GPU side of `tools/bench/run decode`: sets of inputs taken in turn, our kernels and PyTorch's functions in graphs."""
import decode
import torch
import torch.nn.functional as functional
from gpu import DEVICE, DTYPES, Base, Graph, as_tensor, compare, compiled_flex, forced, launcher, sdpa_backends


def sets_of(setting, copies):
    """That many sets of inputs of the normal distribution; the keys of each lie somewhere else."""
    torch.manual_seed(1)
    make = {"merge": merge_inputs, "pages": paged_inputs}.get(setting["layout"], dense_inputs)
    return [make(setting) for _ in range(copies)]


def random(setting, *shape):
    return torch.randn(*shape, device=DEVICE, dtype=DTYPES[setting["dtype"]])


def query(setting):
    q = random(setting, setting["batch"], 1, setting["heads"], setting["head_dim"])
    return {"q": q, "o": torch.empty_like(q)}


def dense_inputs(setting):
    """Keys of every sequence in a row of its own; with a prefix, that once and also in front of every row."""
    size = (setting["kv_heads"], setting["head_dim"])
    inputs = query(setting)
    for name in "kv":
        inputs[name] = random(setting, setting["batch"], max(setting["lens"]), *size)
        if setting["prefix"]:
            inputs[f"{name}_prefix"] = random(setting, 1, setting["prefix"], *size)
    inputs["kv_lens"] = torch.tensor(setting["lens"], dtype=torch.int32, device=DEVICE)
    return inputs


def paged_inputs(setting):
    """Keys in pages of one pool, which the table names in random order."""
    counts = decode.pages_of(setting)
    order = torch.randperm(sum(counts), device=DEVICE, dtype=torch.int32)
    table = torch.zeros(setting["batch"], max(counts), dtype=torch.int32, device=DEVICE)
    for row, part in enumerate(order.split(counts)):
        table[row, :len(part)] = part
    inputs = query(setting)
    for name in ("k_pool", "v_pool"):
        inputs[name] = random(setting, sum(counts), setting["page"], setting["kv_heads"], setting["head_dim"])
    return {**inputs, "page_table": table, "kv_lens": torch.tensor(setting["lens"], dtype=torch.int32, device=DEVICE)}


def merge_inputs(setting):
    parts, rows = setting["parts"], (setting["batch"], 1, setting["heads"])
    return {"os": torch.randn(parts, *rows, setting["head_dim"], device=DEVICE), "lses": torch.randn(parts, *rows, device=DEVICE),
            "o": torch.empty(*rows, setting["head_dim"], device=DEVICE, dtype=DTYPES[setting["dtype"]]),
            "lse": torch.empty(*rows, device=DEVICE)}


def contiguous(setting, inputs):
    """Keys and values as (batch, seq, kv_heads, head_dim). A pool is read as if its pages lay in order: the same bytes."""
    if setting["page"]:
        shape = (setting["batch"], max(decode.pages_of(setting)) * setting["page"], setting["kv_heads"], setting["head_dim"])
        return inputs["k_pool"].view(shape), inputs["v_pool"].view(shape)
    if setting["prefix"]:
        if "k_all" not in inputs:
            for name in "kv":
                prefix = inputs[f"{name}_prefix"].expand(setting["batch"], -1, -1, -1)
                inputs[f"{name}_all"] = torch.cat([prefix, inputs[name]], 1)
        return inputs["k_all"], inputs["v_all"]
    return inputs["k"], inputs["v"]


# --- Peers: each a function of one set of inputs that gives a launch ---

def sdpa(setting, inputs, backend):
    k, v = (tensor.transpose(1, 2) for tensor in contiguous(setting, inputs))
    q, mask = inputs["q"].transpose(1, 2), None
    if setting["layout"] == "lens":
        mask = (torch.arange(k.shape[2], device=DEVICE) < inputs["kv_lens"][:, None])[:, None, None, :]
    grouped = setting["heads"] != setting["kv_heads"]
    return forced(backend, lambda: functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, enable_gqa=grouped).transpose(1, 2))


def flex(setting, inputs, attention):
    from torch.nn.attention.flex_attention import create_block_mask
    k, v = (tensor.transpose(1, 2) for tensor in contiguous(setting, inputs))
    q, mask, lens = inputs["q"].transpose(1, 2), None, inputs.get("kv_lens")
    if setting["layout"] == "lens":
        mask = create_block_mask(lambda b, h, i, j: j < lens[b], setting["batch"], None, 1, k.shape[2], device=DEVICE)
    return lambda: attention(q, k, v, block_mask=mask, enable_gqa=setting["heads"] != setting["kv_heads"]).transpose(1, 2)


def flash3(setting, inputs):
    import flash_attn_interface
    if setting["layout"] == "merge":
        return lambda: as_tensor(flash_attn_interface.flash_attn_combine(inputs["os"], inputs["lses"],
                                                                         out_dtype=inputs["o"].dtype))
    keywords = {"cache_seqlens": inputs["kv_lens"]}
    k, v = contiguous(setting, inputs)
    if setting["page"]:
        k, v, keywords["page_table"] = inputs["k_pool"], inputs["v_pool"], inputs["page_table"]
    if setting["prefix"]:
        keywords["cache_seqlens"] = inputs["kv_lens"] + setting["prefix"]
    return lambda: as_tensor(flash_attn_interface.flash_attn_with_kvcache(inputs["q"], k, v, **keywords))


def merge_in_torch(os, lses, dtype):
    return (torch.softmax(lses, 0)[..., None] * os).sum(0).to(dtype), torch.logsumexp(lses, 0)


def torch_merge(inputs, merge):
    return lambda: as_tensor(merge(inputs["os"], inputs["lses"], inputs["o"].dtype))


# --- What is expected, in plain PyTorch: the first sequence of the first set ---

def expected_first(setting, inputs):
    if setting["layout"] == "merge":
        return merge_in_torch(inputs["os"], inputs["lses"], torch.float32)[0][:1]
    if setting["page"]:
        used = inputs["page_table"][0, :decode.pages_of(setting)[0]].long()
        k, v = (inputs[name][used].flatten(0, 1) for name in ("k_pool", "v_pool"))
    else:
        k, v = (tensor[0] for tensor in contiguous(setting, inputs))
    length, group = setting["lens"][0] + setting["prefix"], setting["heads"] // setting["kv_heads"]
    k, v = k[:length].float(), v[:length].float()
    q = inputs["q"][0, 0].float().unflatten(0, (setting["kv_heads"], group))
    weights = torch.softmax(torch.einsum("hgd,nhd->hgn", q, k) / setting["head_dim"] ** 0.5, -1)
    return torch.einsum("hgn,nhd->hgd", weights, v).flatten(0, 1)[None, None]


class Backend(Base):
    def systems(self, setting):
        copies = decode.copies_of(setting, self.cache_bytes)
        self.sets = []  # those of the row before leave the memory to these
        torch.cuda.empty_cache()
        self.sets = sets_of(setting, copies)
        launches = decode.launches_of(copies)
        each = {name: lambda inputs, backend=backend: sdpa(setting, inputs, backend)
                for name, backend in sdpa_backends().items()}
        makers = {name: lambda make=make: [make(inputs) for inputs in self.sets] for name, make in each.items()}
        makers |= {"flash3": lambda: [flash3(setting, inputs) for inputs in self.sets],
                   "flex": lambda: self.flex_of(setting), "torch": lambda: self.merges(merge_in_torch),
                   "torch_compile": lambda: self.merges(torch.compile(merge_in_torch, dynamic=False)),
                   "attn": lambda: self.ours_of(setting), "attn_unsplit": lambda: self.ours_of(setting, splits=1),
                   "attn_stream_k": lambda: self.ours_of(setting, streamed=True),
                   "attn_unshared": lambda: self.ours_of(setting, unshared=True)}
        return {name: lambda make=make: Graph((made := make()) * (launches // len(made))) for name, make in makers.items()}

    def flex_of(self, setting):
        attention = compiled_flex()
        return [flex(setting, inputs, attention) for inputs in self.sets]

    def merges(self, merge):
        torch._dynamo.reset()
        return [torch_merge(inputs, merge) for inputs in self.sets]

    def ours_of(self, setting, splits=None, unshared=False, streamed=False):
        asked = decode.unshared_of(setting) if unshared else setting
        kernel = self.ours.load(decode.spec_of(asked, splits, streamed))
        launches = []
        for inputs in self.sets:
            if unshared:
                k, v = contiguous(setting, inputs)
                inputs = {**inputs, "k": k, "v": v}
            launches.append(launcher(kernel, {name: inputs[name] for name in kernel.arguments}))
        return launches

    def time(self, launch):
        return launch.time()

    def difference(self, setting, launches):
        if "attn" not in launches:
            return None
        launches["attn"].graph.replay()
        torch.cuda.synchronize()
        return compare(self.sets[0]["o"][:1], expected_first(setting, self.sets[0]))

    def facts(self, setting):
        past = decode.is_past_cache(setting, self.cache_bytes, len(self.sets))
        return {"sets": len(self.sets), "past_cache": past}
