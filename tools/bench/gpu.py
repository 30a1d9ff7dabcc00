# SPDX-License-Identifier: Apache-2.0
"""What the kinds of measurement share on the GPU: clocks, the chip's own rates, our kernels on PyTorch's tensors."""
import statistics
import subprocess
import tempfile
from pathlib import Path

import attn
import torch

ROOT = Path(__file__).resolve().parent.parent.parent
DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16}
DEVICE = "cuda"


def open_backend(kind, options):
    """The backend of a kind. PyTorch makes the context that both sides share."""
    torch.zeros(1, device=DEVICE)
    ours = Ours(options)
    if kind.__name__ == "prefill":
        import gpu_prefill
        return gpu_prefill.Backend(kind, ours)
    if kind.__name__ == "sparse":
        import gpu_sparse
        return gpu_sparse.Backend(kind, ours)
    import gpu_decode
    return gpu_decode.Backend(kind, ours)


class Ours:
    """Our side: the device, and kernels loaded from specs."""

    def __init__(self, options):
        self.target, self.compiler = options.target, options.build_dir / "bin/attnc"
        self.device = attn.Device(attn.Library(options.build_dir / "lib/libattn.so"), "cuda:0")
        self.folder = tempfile.TemporaryDirectory()

    def load(self, text, target=None):
        """The kernel of a spec, compiled for a target, by default the device's own."""
        path = Path(self.folder.name) / "bench.mlir"
        path.write_text(text)
        return self.device.load(path, target=target or self.target, cache=self.folder.name, compiler=self.compiler)


def launcher(kernel, arguments):
    """A function that launches a kernel on these tensors and numbers, on the stream that PyTorch uses when it is called."""
    bound = kernel.bind(**{name: value if isinstance(value, int) else attn.Tensor.of_torch(value)
                           for name, value in arguments.items()})
    size = kernel.workspace_bytes(bound)
    workspace = torch.empty(max(size, 1), dtype=torch.uint8, device=DEVICE)

    def launch():
        kernel.launch(bound, workspace.data_ptr() if size else None, size, torch.cuda.current_stream().cuda_stream)
        return arguments["o"]

    return launch


def warmed(launch):
    """The same function, after it has compiled and chosen whatever it does on first use; fails here if it fails."""
    for _ in range(3):
        launch()
    torch.cuda.synchronize()
    return launch


def time_events(launch, repeats):
    """Microseconds of one call, as the mean of some in a row between two CUDA events."""
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    first.record()
    for _ in range(repeats):
        launch()
    last.record()
    last.synchronize()
    return first.elapsed_time(last) * 1000 / repeats


class Graph:
    """Launches recorded once and replayed without the processor between them."""

    def __init__(self, launches):
        self.count = len(launches)
        for launch in launches[:3]:
            warmed(launch)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            # What they return is kept: memory of a graph is used again as soon as nothing holds it.
            self.results = [launch() for launch in launches]
        warmed(self.graph.replay)

    def time(self):
        return time_events(self.graph.replay, 1) / self.count


def measured_rates():
    """What this very chip reaches today: TFLOP/s of a large bf16 product, GB/s of a large copy (read and write)."""
    a, b = (torch.randn(8192, 8192, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    source = torch.empty(1 << 30, device=DEVICE, dtype=torch.uint8)
    target = torch.empty_like(source)
    for _ in range(3):
        a @ b
        target.copy_(source)
    product = statistics.median(time_events(lambda: a @ b, 5) for _ in range(9))
    copy = statistics.median(time_events(lambda: target.copy_(source), 5) for _ in range(9))
    return {"matrix_tflops": 2 * 8192**3 / product / 1e6, "copy_gbs": 2 * (1 << 30) / copy / 1e3}


def versions():
    driver = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                            capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return {"torch": torch.__version__, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
            "driver": driver, "attn": commit.stdout.strip() or "unknown"}


class Base:
    """What rows.py asks of every backend."""

    def __init__(self, kind, ours):
        self.kind, self.ours = kind, ours
        self.chip = torch.cuda.get_device_name(0)
        self.cache_bytes = torch.cuda.get_device_properties(0).L2_cache_size
        self.measured = measured_rates()

    def rates(self):
        return self.measured

    def versions(self):
        return versions()


def as_tensor(result):
    return result[0] if isinstance(result, tuple) else result


def compare(result, expected):
    """The largest difference, and the largest magnitude that was expected."""
    result, expected = result.float(), expected.float()
    return (result - expected).abs().max().item(), expected.abs().max().item()


# --- Peers of several kinds ---

def forced(backend, call):
    """A call of PyTorch's function that may use one backend only."""
    from torch.nn.attention import sdpa_kernel

    def launch():
        with sdpa_kernel(backend):
            return call()
    return launch


def sdpa_backends():
    from torch.nn.attention import SDPBackend
    return {"sdpa_flash": SDPBackend.FLASH_ATTENTION, "sdpa_cudnn": SDPBackend.CUDNN_ATTENTION,
            "sdpa_efficient": SDPBackend.EFFICIENT_ATTENTION}


def compiled_flex():
    """FlexAttention compiled for each shape by itself, as its users are told to."""
    from torch.nn.attention.flex_attention import flex_attention
    torch._dynamo.reset()  # else it gives up after a few shapes and runs uncompiled
    return torch.compile(flex_attention, dynamic=False)
