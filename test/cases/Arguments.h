// SPDX-License-Identifier: Apache-2.0
// The arguments of a case as they lie in memory: values, strides, and NaN wherever nothing may be read.
#pragma once

#include "runtime/Types.h"
#include "test/cases/Axes.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace attn::cases {

/// A tensor in host memory with the strides it will have on the device. The memory ends with its last element.
struct PlacedTensor {
  std::string name;
  DType type = DType::F32;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides; ///< in elements, may be 0
  int64_t offset = 0;           ///< of the first element, in elements
  std::vector<std::byte> memory;
  bool updated = false; ///< an output that is read as well: a cache

  PlacedTensor() = default;
  /// Memory as large as shape, strides and offset need; every element, gaps included, is NaN (or -1 for integers).
  PlacedTensor(std::string name, DType type, std::vector<int64_t> shape, std::vector<int64_t> strides,
               int64_t offset = 0);

  int64_t elements() const; ///< the product of the shape
  int64_t place(const std::vector<int64_t> &index) const;
  void set(int64_t place, double value);
  double get(int64_t place) const;
  /// The elements in the order of the shape, last dimension fastest.
  std::vector<double> values() const;
};

/// Calls Visit(index) for every index of a shape, last dimension fastest.
template <typename Visitor> void forEachIndex(const std::vector<int64_t> &shape, Visitor &&visit) {
  for (int64_t size : shape)
    if (size == 0)
      return;
  std::vector<int64_t> index(shape.size(), 0);
  while (true) {
    visit(static_cast<const std::vector<int64_t> &>(index));
    size_t i = shape.size();
    while (i != 0 && ++index[i - 1] == shape[i - 1])
      index[--i] = 0;
    if (i == 0)
      return;
  }
}

/// Everything a launch of a case takes.
struct Arguments {
  std::vector<PlacedTensor> inputs;  ///< q k v, then kv_lens, slopes, table, sink where the case has them
  std::vector<PlacedTensor> outputs; ///< o, then lse where the case has it; what they hold before the launch
  bool hasScale = false;             ///< the scale is an argument
  float scaleValue = 0;
  std::map<std::string, std::variant<double, int64_t>> scalars; ///< other arguments that are no tensors
};

/// The same case gives the same arguments, in any list.
Arguments makeArguments(const Case &c);

/// Whether a tensor of a case holds something for every sequence of the batch, in its first dimension.
bool isPerSequence(const Case &c, const std::string &name);

} // namespace attn::cases
