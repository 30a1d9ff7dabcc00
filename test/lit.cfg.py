# SPDX-License-Identifier: Apache-2.0
"""How lit runs the tests: which files are tests, what their RUN lines may name, what this machine has.

Programs (attnc, attn-opt, attn-run, attn-bench, FileCheck, not, split-file) are found on PATH.
  %ptxas   assembles kernel files by ptxas, from a cache of results; does nothing where there is no ptxas
  %root    the source tree            %build   the build folder
  %specs   templates/specs            %python  the interpreter that runs lit
Features: cuda (a device that runs), ptxas, nvcc, sanitize (our own code is built with sanitisers).
"""
import ctypes
import importlib.machinery
import importlib.util
import os
import sys

import lit.formats

config.name = "attn"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".ptx", ".test"]
config.test_source_root = os.path.join(config.attn_source, "test")
config.test_exec_root = os.path.join(config.attn_build, "test")
config.excludes = ["Inputs", "cases"]

programs = [os.path.join(config.attn_build, "bin"), config.llvm_tools]
config.environment["PATH"] = os.pathsep.join(programs + [os.environ["PATH"]])
# Compiled specs of one run must not be met by the next.
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
config.environment["HOME"] = config.test_exec_root


def load_check_ptxas():
    """The script's own answer to where programs of the CUDA toolkit lie."""
    loader = importlib.machinery.SourceFileLoader("check_ptxas", os.path.join(config.test_source_root, "check-ptxas"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_ptxas", loader))
    keep, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = keep
    return module


def has_device():
    """Whether the CUDA driver is here and sees a device."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


check_ptxas = load_check_ptxas()
for program in ("ptxas", "nvcc"):
    if check_ptxas.find_program(program):
        config.available_features.add(program)
if has_device():
    config.available_features.add("cuda")
if config.attn_sanitize == "ON":
    config.available_features.add("sanitize")

cache = os.path.join(config.attn_build, "ptxas-cache")
config.substitutions += [
    ("%ptxas", f"{sys.executable} {config.test_source_root}/check-ptxas --cache {cache}"),
    ("%nvcc", check_ptxas.find_program("nvcc") or "nvcc"),
    ("%python", sys.executable),
    ("%root", config.attn_source),
    ("%build", config.attn_build),
    ("%specs", os.path.join(config.attn_source, "templates/specs")),
]

# A hanging test fails instead of holding up the others; lit needs psutil for that.
try:
    import psutil  # noqa: F401

    lit_config.maxIndividualTestTime = 300
except ImportError:
    lit_config.note("no psutil: tests have no time limit")
