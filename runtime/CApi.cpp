// SPDX-License-Identifier: Apache-2.0
// The C interface: each function does what its C++ counterpart does and keeps the error text for the thread.
#include "runtime/Runtime.h"
#include "runtime/attn.h"

#include <fmt/format.h>

using namespace attn;

struct attn_device {
  std::shared_ptr<Device> held;
  std::string name;
};

struct attn_kernel {
  std::shared_ptr<Kernel> held;
};

namespace {

static_assert(static_cast<int>(DType::Index) == ATTN_INDEX && static_cast<int>(DType::BF16) == ATTN_BF16);
static_assert(static_cast<int>(KernelArgument::Role::InOut) == ATTN_INOUT);

thread_local std::string lastError;

/// Runs it; no exception may cross into C.
template <typename Body> int guarded(Body body) {
  try {
    body();
    return 0;
  } catch (const std::exception &error) {
    lastError = error.what();
  } catch (...) {
    lastError = "an unknown error";
  }
  return 1;
}

template <typename T> T &given(T *pointer, const char *what) {
  if (!pointer)
    throw Error(fmt::format("expects {}, got a null pointer", what));
  return *pointer;
}

std::string orEmpty(const char *text) { return text ? text : ""; }

Value valueOf(const attn_value &value, size_t index) {
  if (value.kind == ATTN_INTEGER)
    return value.integer;
  if (value.kind == ATTN_REAL)
    return value.real;
  if (value.kind != ATTN_TENSOR)
    throw Error(
        fmt::format("value {} has kind {}, expected ATTN_TENSOR, ATTN_INTEGER or ATTN_REAL", index, value.kind));
  if (value.type < ATTN_F16 || value.type > ATTN_BOOL)
    throw Error(fmt::format("value {} has type {}, expected one of enum attn_type", index, value.type));
  if (value.rank > 64)
    throw Error(fmt::format("value {} has {} dimensions, expected at most 64", index, value.rank));
  if (value.rank)
    given(value.shape, "a shape");
  Tensor tensor{value.data, static_cast<DType>(value.type), {}, {}};
  tensor.shape.assign(value.shape, value.shape + value.rank);
  if (value.strides)
    tensor.strides.assign(value.strides, value.strides + value.rank);
  return tensor;
}

std::vector<Value> valuesOf(const attn_value *values, size_t count) {
  if (count)
    given(values, "values");
  std::vector<Value> result;
  for (size_t i = 0; i < count; ++i)
    result.push_back(valueOf(values[i], i));
  return result;
}

const KernelArgument *argumentAt(const attn_kernel *kernel, size_t index) {
  if (!kernel || index >= kernel->held->section().arguments.size())
    return nullptr;
  return &kernel->held->section().arguments[index];
}

const Dimension *dimensionAt(const attn_kernel *kernel, size_t index, size_t dimension) {
  const KernelArgument *argument = argumentAt(kernel, index);
  return argument && dimension < argument->shape.size() ? &argument->shape[dimension] : nullptr;
}

} // namespace

extern "C" {

const char *attn_last_error(void) { return lastError.c_str(); }

int attn_device_open(const char *name, attn_device **device) {
  return guarded([&] {
    given(device, "a place for the device");
    std::shared_ptr<Device> opened = Device::open(name ? name : "auto");
    *device = new attn_device{opened, opened->name()};
  });
}

void attn_device_close(attn_device *device) { delete device; }

const char *attn_device_name(const attn_device *device) { return device ? device->name.c_str() : ""; }

int attn_device_allocate(attn_device *device, size_t bytes, void **data) {
  return guarded([&] { given(data, "a place for the address") = given(device, "a device").held->allocate(bytes, {}); });
}

int attn_device_release(attn_device *device, void *data) {
  return guarded([&] { given(device, "a device").held->release(data); });
}

int attn_device_copy_in(attn_device *device, void *to, const void *from, size_t bytes) {
  return guarded([&] { given(device, "a device").held->copyToDevice(to, from, bytes); });
}

int attn_device_copy_out(attn_device *device, void *to, const void *from, size_t bytes) {
  return guarded([&] { given(device, "a device").held->copyToHost(to, from, bytes); });
}

int attn_device_synchronize(attn_device *device, attn_stream stream) {
  return guarded([&] { given(device, "a device").held->synchronize(stream); });
}

int attn_kernel_load(attn_device *device, const char *path, const char *name, attn_kernel **kernel) {
  return attn_kernel_load_with(device, path, name, nullptr, nullptr, nullptr, kernel);
}

int attn_kernel_load_with(attn_device *device, const char *path, const char *name, const char *target,
                          const char *cache, const char *compiler, attn_kernel **kernel) {
  return guarded([&] {
    given(kernel, "a place for the kernel");
    given(path, "a path");
    LoadOptions options{orEmpty(target), orEmpty(cache), orEmpty(compiler)};
    *kernel = new attn_kernel{given(device, "a device").held->load(path, orEmpty(name), options)};
  });
}

void attn_kernel_unload(attn_kernel *kernel) { delete kernel; }

size_t attn_kernel_arguments(const attn_kernel *kernel) {
  return kernel ? kernel->held->section().arguments.size() : 0;
}

const char *attn_kernel_argument_name(const attn_kernel *kernel, size_t index) {
  const KernelArgument *argument = argumentAt(kernel, index);
  return argument ? argument->name.c_str() : nullptr;
}

int attn_kernel_argument_role(const attn_kernel *kernel, size_t index) {
  const KernelArgument *argument = argumentAt(kernel, index);
  return argument ? static_cast<int>(argument->kind) : -1;
}

int attn_kernel_argument_type(const attn_kernel *kernel, size_t index) {
  const KernelArgument *argument = argumentAt(kernel, index);
  return argument ? static_cast<int>(argument->type) : -1;
}

size_t attn_kernel_argument_rank(const attn_kernel *kernel, size_t index) {
  const KernelArgument *argument = argumentAt(kernel, index);
  return argument ? argument->shape.size() : 0;
}

const char *attn_kernel_dimension_name(const attn_kernel *kernel, size_t index, size_t dimension) {
  const Dimension *found = dimensionAt(kernel, index, dimension);
  return found ? found->name.c_str() : nullptr;
}

int64_t attn_kernel_dimension_size(const attn_kernel *kernel, size_t index, size_t dimension) {
  const Dimension *found = dimensionAt(kernel, index, dimension);
  return found ? found->size.value_or(-1) : -1;
}

int attn_kernel_workspace(const attn_kernel *kernel, const attn_value *values, size_t count, size_t *bytes) {
  return guarded([&] {
    given(bytes, "a place for the number of bytes") =
        given(kernel, "a kernel").held->workspaceBytes(valuesOf(values, count));
  });
}

int attn_kernel_launch(const attn_kernel *kernel, const attn_value *values, size_t count, void *workspace,
                       size_t workspace_bytes, attn_stream stream) {
  return guarded([&] {
    given(kernel, "a kernel").held->launch(valuesOf(values, count), Workspace{workspace, workspace_bytes}, stream);
  });
}

} // extern "C"
