# SPDX-License-Identifier: Apache-2.0
"""The GPU side of `tools/bench/run prefill`: its tensors, our kernels on them, PyTorch's functions on the same memory."""
import prefill
import torch
import torch.nn.functional as functional
from gpu import DEVICE, DTYPES, Base, as_tensor, compare, compiled_flex, forced, launcher, sdpa_backends, time_events, warmed


def tensors_of(setting):
    """Queries, keys and values of the normal distribution, as (batch, seq, heads, head_dim), and what the variant reads."""
    torch.manual_seed(1)
    batch, seq = setting["batch"], setting["seq"]
    sizes = {"q": ("heads", "head_dim"), "k": ("kv_heads", "head_dim"), "v": ("kv_heads", "value_dim")}
    tensors = {name: torch.randn(batch, seq, setting[heads], setting[dim], device=DEVICE, dtype=DTYPES[setting["dtype"]])
               for name, (heads, dim) in sizes.items()}
    if setting["variant"] == "alibi":
        tensors["slopes"] = torch.tensor([2.0 ** (-8 * (head + 1) / setting["heads"]) for head in range(setting["heads"])],
                                         device=DEVICE)
    if setting["variant"] == "documents":
        tensors["document"] = torch.tensor(document_ids(setting), dtype=torch.int32, device=DEVICE)
    return tensors


def document_ids(setting):
    """The document of each entry of each row."""
    return [[document for document, length in enumerate(lengths) for _ in range(length)]
            for lengths in prefill.document_lengths(setting)]


def score_of(setting, tensors):
    """The variant's change of a score in FlexAttention's words; None when it changes none."""
    if setting["variant"] == "softcap":
        return lambda score, b, h, q, kv: prefill.CAP * torch.tanh(score / prefill.CAP)
    if setting["variant"] == "alibi":
        slopes = tensors["slopes"]
        return lambda score, b, h, q, kv: score + slopes[h] * (kv - q)
    return None


def flex(setting, tensors):
    from torch.nn.attention.flex_attention import create_block_mask
    q, k, v = (tensors[name].transpose(1, 2) for name in "qkv")
    visible, mask = prefill.mask_of(setting), None
    if visible:
        table = tensors.get("document")
        rows = setting["batch"] if table is not None else None
        mask = create_block_mask(lambda b, h, i, j: visible(table, b, i, j), rows, None, setting["seq"], setting["seq"],
                                 device=DEVICE)
    attention, score = compiled_flex(), score_of(setting, tensors)
    return lambda: attention(q, k, v, score_mod=score, block_mask=mask,
                             enable_gqa=setting["heads"] != setting["kv_heads"]).transpose(1, 2)


def flash3(setting, tensors):
    import flash_attn_interface
    keywords = {"causal": setting["causal"]}
    if setting["variant"] == "window":
        keywords["window_size"] = (prefill.WINDOW - 1, 0)
    if setting["variant"] == "softcap":
        keywords["softcap"] = prefill.CAP
    return lambda: as_tensor(flash_attn_interface.flash_attn_func(tensors["q"], tensors["k"], tensors["v"], **keywords))


def sdpa(setting, tensors, backend):
    q, k, v = (tensors[name].transpose(1, 2) for name in "qkv")
    return forced(backend, lambda: functional.scaled_dot_product_attention(
        q, k, v, is_causal=setting["causal"], enable_gqa=setting["heads"] != setting["kv_heads"]).transpose(1, 2))


class Backend(Base):
    def systems(self, setting):
        tensors = tensors_of(setting)
        makers = {name: lambda backend=backend: sdpa(setting, tensors, backend) for name, backend in sdpa_backends().items()}
        makers |= {"flex": lambda: flex(setting, tensors), "flash3": lambda: flash3(setting, tensors),
                   "attn": lambda: self.ours_of(setting, tensors), "attn_sm80": lambda: self.ours_of(setting, tensors, "sm_80"),
                   "attn_plain": lambda: self.ours_of(prefill.plain_of(setting), tensors)}
        return {name: lambda make=make: warmed(make()) for name, make in makers.items()}

    def ours_of(self, setting, tensors, target=None):
        output = torch.empty(*tensors["q"].shape[:3], setting["value_dim"], device=DEVICE, dtype=tensors["q"].dtype)
        kernel = self.ours.load(prefill.spec_of(setting), target)
        return launcher(kernel, {"o": output, **{name: tensors[name] for name in kernel.arguments if name != "o"}})

    def time(self, launch):
        return time_events(launch, 10)

    def difference(self, setting, launches):
        """Between us and the first peer that ran."""
        peer = next((launches[name] for name in prefill.PEERS if name in launches), None)
        return compare(launches["attn"](), peer()) if peer and "attn" in launches else None

    def facts(self, setting):
        return {}
