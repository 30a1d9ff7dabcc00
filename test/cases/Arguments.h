// SPDX-License-Identifier: Apache-2.0
// The arguments of a case as they lie in memory: values, strides, and NaN wherever nothing may be read.
#pragma once

#include "runtime/Types.h"
#include "test/cases/Axes.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace attn::cases {

/// A tensor in host memory with the strides it will have on the device. The memory ends with its last element.
struct PlacedTensor {
  std::string Name;
  DType Type = DType::F32;
  std::vector<int64_t> Shape;
  std::vector<int64_t> Strides; ///< in elements, may be 0
  int64_t Offset = 0;           ///< of the first element, in elements
  std::vector<std::byte> Memory;

  PlacedTensor() = default;
  /// Memory as large as shape, strides and offset need; every element, gaps included, is NaN (or -1 for integers).
  PlacedTensor(std::string Name, DType Type, std::vector<int64_t> Shape, std::vector<int64_t> Strides, int64_t Offset = 0);

  int64_t elements() const; ///< the product of the shape
  int64_t place(const std::vector<int64_t> &Index) const;
  void set(int64_t Place, double Value);
  double get(int64_t Place) const;
  /// The elements in the order of the shape, last dimension fastest.
  std::vector<double> values() const;
};

/// Calls Visit(index) for every index of a shape, last dimension fastest.
template <typename Visitor> void forEachIndex(const std::vector<int64_t> &Shape, Visitor &&Visit) {
  for (int64_t Size : Shape)
    if (Size == 0)
      return;
  std::vector<int64_t> Index(Shape.size(), 0);
  while (true) {
    Visit(static_cast<const std::vector<int64_t> &>(Index));
    size_t I = Shape.size();
    while (I != 0 && ++Index[I - 1] == Shape[I - 1])
      Index[--I] = 0;
    if (I == 0)
      return;
  }
}

/// Everything a launch of a case takes.
struct Arguments {
  std::vector<PlacedTensor> Inputs;  ///< q k v, then kv_lens, slopes, table, sink where the case has them
  std::vector<PlacedTensor> Outputs; ///< o, then lse where the case has it
  bool HasScale = false;           ///< the scale is an argument
  float ScaleValue = 0;
};

/// The same case gives the same arguments, in any list.
Arguments makeArguments(const Case &C);

} // namespace attn::cases
