// SPDX-License-Identifier: Apache-2.0
// Copies a cache and writes entries into it.
#include "compiler/CacheAppend.h"

namespace attn {

/// Calls visit(offset) for each element in the order of the shape.
template <typename Visitor> static void forEachElement(const HostTensor &tensor, Visitor visit) {
  if (std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end())
    return;
  std::vector<int64_t> index(tensor.shape.size(), 0);
  for (size_t d = 1; d > 0;) {
    int64_t offset = 0;
    for (size_t i = 0; i < index.size(); ++i)
      offset += index[i] * tensor.strides[i];
    visit(offset);
    for (d = index.size(); d > 0 && ++index[d - 1] == tensor.shape[d - 1]; --d)
      index[d - 1] = 0;
  }
}

OwnedTensor::OwnedTensor(const HostTensor &from) : elementType(from.type), sizes(from.shape) {
  auto size = static_cast<int64_t>(sizeOf(elementType));
  forEachElement(from, [&](int64_t offset) {
    const std::byte *element = from.data + offset * size;
    bytes.insert(bytes.end(), element, element + size);
  });
}

HostTensor OwnedTensor::view() const {
  HostTensor tensor{elementType, sizes, std::vector<int64_t>(sizes.size()), bytes.data()};
  int64_t stride = bytes.empty() ? 0 : 1;
  for (size_t d = sizes.size(); d-- > 0; stride *= sizes[d])
    tensor.strides[d] = stride;
  return tensor;
}

std::vector<double> OwnedTensor::values() const {
  std::vector<double> all;
  HostTensor tensor = view();
  forEachElement(tensor, [&](int64_t offset) { all.push_back(loadReal(tensor, offset)); });
  return all;
}

static void copyVector(const EntryVector &from, const EntryVector &to, int64_t count) {
  for (int64_t n = 0; n < count; ++n)
    storeReal(*to.tensor, to.offset + n * to.stride, loadReal(*from.tensor, from.offset + n * from.stride));
}

void appendEntries(const Sequence &source, const Sequence &cache, bool twoTensors) {
  for (int64_t b = 0; b < cache.batch(); ++b) {
    int64_t count = source.length(b), first = cache.length(b) - count;
    for (int64_t i = std::max<int64_t>(0, -first); i < count; ++i)
      for (int64_t g = 0; g < cache.heads(); ++g) {
        copyVector(source.key(b, g, i), cache.key(b, g, first + i), cache.keySize());
        if (twoTensors)
          copyVector(source.value(b, g, i), cache.value(b, g, first + i), cache.valueSize());
      }
  }
}

} // namespace attn
