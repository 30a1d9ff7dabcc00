# SPDX-License-Identifier: Apache-2.0
"""The runtime's C header (runtime/attn.h) in Python: open a device, load a kernel, launch it on any tensors."""
import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_void_p

TYPES = ["f16", "bf16", "f32", "f64", "i8", "i32", "i64", "bool", "index"]


class _Value(ctypes.Structure):
    _fields_ = [("kind", c_int), ("type", c_int), ("data", c_void_p), ("rank", c_size_t), ("shape", POINTER(c_int64)),
                ("strides", POINTER(c_int64)), ("integer", c_int64), ("real", c_double)]


class Error(Exception):
    """What the runtime says is wrong, one sentence a line."""


class Library:
    """libattn.so with the signatures that are used here."""

    def __init__(self, path):
        self.calls = ctypes.CDLL(str(path))
        signatures = {
            "attn_device_open": [c_char_p, POINTER(c_void_p)],
            "attn_device_close": [c_void_p],
            "attn_device_allocate": [c_void_p, c_size_t, POINTER(c_void_p)],
            "attn_device_release": [c_void_p, c_void_p],
            "attn_device_copy_in": [c_void_p, c_void_p, c_char_p, c_size_t],
            "attn_device_copy_out": [c_void_p, c_void_p, c_void_p, c_size_t],
            "attn_device_synchronize": [c_void_p, c_void_p],
            "attn_kernel_load_with": [c_void_p] + [c_char_p] * 5 + [POINTER(c_void_p)],
            "attn_kernel_unload": [c_void_p],
            "attn_kernel_workspace": [c_void_p, POINTER(_Value), c_size_t, POINTER(c_size_t)],
            "attn_kernel_launch": [c_void_p, POINTER(_Value), c_size_t, c_void_p, c_size_t, c_void_p],
        }
        for name, arguments in signatures.items():
            getattr(self.calls, name).argtypes = arguments
        self.calls.attn_kernel_arguments.argtypes = [c_void_p]
        self.calls.attn_kernel_arguments.restype = c_size_t
        self.calls.attn_kernel_argument_name.argtypes = [c_void_p, c_size_t]
        self.calls.attn_kernel_argument_name.restype = c_char_p
        self.calls.attn_device_name.argtypes = [c_void_p]
        self.calls.attn_device_name.restype = c_char_p
        self.calls.attn_last_error.restype = c_char_p

    def check(self, status):
        if status:
            raise Error(self.calls.attn_last_error().decode())


class Device:
    def __init__(self, library, name):
        self.library, self.handle = library, c_void_p()
        library.check(library.calls.attn_device_open(name.encode(), byref(self.handle)))

    @property
    def name(self):
        return self.library.calls.attn_device_name(self.handle).decode()

    def allocate(self, size):
        data = c_void_p()
        self.library.check(self.library.calls.attn_device_allocate(self.handle, size, byref(data)))
        return data.value

    def copy_in(self, to, content):
        self.library.check(self.library.calls.attn_device_copy_in(self.handle, to, content, len(content)))

    def copy_out(self, data, size):
        content = ctypes.create_string_buffer(size)
        self.library.check(self.library.calls.attn_device_copy_out(self.handle, content, data, size))
        return content.raw

    def load(self, path, kernel=None, target=None, cache=None, compiler=None):
        handle = c_void_p()
        texts = [None if text is None else str(text).encode() for text in (path, kernel, target, cache, compiler)]
        self.library.check(self.library.calls.attn_kernel_load_with(self.handle, *texts, byref(handle)))
        return Kernel(self, handle)


class Tensor:
    """Device memory as a tensor: address, type name, sizes, strides in elements."""

    def __init__(self, data, dtype, shape, strides=None):
        self.data, self.dtype, self.shape, self.strides = data, dtype, list(shape), strides

    @staticmethod
    def of_torch(tensor):
        name = {"torch.float16": "f16", "torch.bfloat16": "bf16", "torch.float32": "f32", "torch.int32": "i32",
                "torch.int64": "i64"}[str(tensor.dtype)]
        return Tensor(tensor.data_ptr(), name, tensor.shape, list(tensor.stride()))


class Kernel:
    def __init__(self, device, handle):
        self.device, self.library, self.handle = device, device.library, handle
        calls = self.library.calls
        self.arguments = [calls.attn_kernel_argument_name(handle, i).decode()
                          for i in range(calls.attn_kernel_arguments(handle))]

    def bind(self, **values):
        """The arguments of a launch by name; the result is given to launch as often as wanted."""
        missing = [name for name in self.arguments if name not in values]
        if missing or len(values) != len(self.arguments):
            raise Error(f"expects arguments {', '.join(self.arguments)}, got {', '.join(values)}")
        bound, keep = (_Value * len(self.arguments))(), []
        for slot, name in zip(bound, self.arguments):
            value = values[name]
            if isinstance(value, Tensor):
                slot.kind, slot.type, slot.data, slot.rank = 0, TYPES.index(value.dtype), value.data, len(value.shape)
                for field in ("shape", "strides"):
                    numbers = getattr(value, field)
                    if numbers is not None:
                        array = (c_int64 * len(numbers))(*numbers)
                        keep.append(array)
                        setattr(slot, field, array)
            elif isinstance(value, int):
                slot.kind, slot.integer = 1, value
            else:
                slot.kind, slot.real = 2, float(value)
        return bound, keep

    def workspace_bytes(self, bound):
        size = c_size_t()
        self.library.check(self.library.calls.attn_kernel_workspace(self.handle, bound[0], len(bound[0]), byref(size)))
        return size.value

    def launch(self, bound, workspace=None, workspace_bytes=0, stream=None):
        self.library.check(self.library.calls.attn_kernel_launch(self.handle, bound[0], len(bound[0]), workspace,
                                                                 workspace_bytes, stream))
