// SPDX-License-Identifier: Apache-2.0
// Tensors in host memory, read one element at a time: what the interpreter is given and computes on.
#pragma once

#include "runtime/Types.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace attn {

/// A tensor that somebody else owns. Strides are in elements, one per dimension, zero and negative ones included;
/// `data` is the address of element (0, 0, ...).
struct HostTensor {
  DType type = DType::F32;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  const std::byte *data = nullptr;

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
};

template <typename T> T loadAs(const std::byte *address) {
  T value;
  std::memcpy(&value, address, sizeof(T));
  return value;
}

/// The float `offset` elements behind the first one, exactly.
inline double loadReal(const HostTensor &tensor, int64_t offset) {
  const std::byte *address = tensor.data + offset * static_cast<int64_t>(sizeOf(tensor.type));
  switch (tensor.type) {
  case DType::F16:
    return fromF16(loadAs<uint16_t>(address));
  case DType::BF16:
    return fromBF16(loadAs<uint16_t>(address));
  case DType::F32:
    return loadAs<float>(address);
  default:
    return loadAs<double>(address);
  }
}

/// Writes a float `offset` elements behind the first one, rounded to the tensor's type. The tensor must lie in memory
/// that may be written.
inline void storeReal(const HostTensor &tensor, int64_t offset, double value) {
  auto *address = const_cast<std::byte *>(tensor.data) + offset * static_cast<int64_t>(sizeOf(tensor.type));
  auto store = [&](auto bits) { std::memcpy(address, &bits, sizeof bits); };
  if (tensor.type == DType::F16)
    store(toF16(static_cast<float>(value)));
  else if (tensor.type == DType::BF16)
    store(toBF16(static_cast<float>(value)));
  else if (tensor.type == DType::F32)
    store(static_cast<float>(value));
  else
    store(value);
}

/// The integer `offset` elements behind the first one, with its sign; true is -1, the i1 that MLIR's arithmetic sees.
inline int64_t loadInteger(const HostTensor &tensor, int64_t offset) {
  const std::byte *address = tensor.data + offset * static_cast<int64_t>(sizeOf(tensor.type));
  switch (tensor.type) {
  case DType::Bool:
    return loadAs<uint8_t>(address) != 0 ? -1 : 0;
  case DType::I8:
    return loadAs<int8_t>(address);
  case DType::I32:
    return loadAs<int32_t>(address);
  default:
    return loadAs<int64_t>(address);
  }
}

/// Nearest value of a float type; types of 32 bits and more leave a float as it is.
inline float roundedTo(DType type, float value) {
  if (type == DType::F16)
    return fromF16(toF16(value));
  if (type == DType::BF16)
    return fromBF16(toBF16(value));
  return value;
}

} // namespace attn
