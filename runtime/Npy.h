// SPDX-License-Identifier: Apache-2.0
// Reads and writes .npy files: C order, little endian, f16 f32 f64 i8 i32 i64 bool.
#ifndef ATTN_RUNTIME_NPY_H
#define ATTN_RUNTIME_NPY_H

#include "runtime/Types.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace attn {

/// A dense array, last dimension fastest.
struct Array {
  DType type = DType::F32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes; ///< elementCount(shape) elements, little endian

  int64_t count() const;
  /// Element i as a number; integers beyond 2^53 are rounded.
  double at(int64_t i) const;
  /// Stores a number rounded to the type (nearest even; integers toward zero).
  void set(int64_t i, double value);
};

/// An array of that type and shape, all zero. The shape must be small enough to be held.
Array makeArray(DType type, std::vector<int64_t> shape);

/// The same numbers in another type, each rounded once from its own type.
Array converted(const Array &array, DType type);

/// "[2, 128, 8]".
std::string shapeText(const std::vector<int64_t> &shape);

/// Reads .npy of format 1, 2 or 3. Throws Error with one sentence that begins with `name`.
Array parseNpy(std::string_view bytes, const std::string &name);
Array readNpy(const std::string &path);

/// The bytes of an .npy file of format 1. bf16 has no .npy type and is written as f32.
std::string printNpy(const Array &array);
void writeNpy(const std::string &path, const Array &array);

} // namespace attn

#endif // ATTN_RUNTIME_NPY_H
