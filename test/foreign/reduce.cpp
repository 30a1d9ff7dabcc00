// SPDX-License-Identifier: Apache-2.0
// reduce.cu: the numbers are small integers, so that their sum is exact in every order.
#include "test/foreign/Foreign.h"

#include <algorithm>

namespace attn::foreign {

void checkReduce(Machine &machine) {
  const unsigned grid = 5, block = 192;
  for (int64_t count : {int64_t(1), int64_t(959), int64_t(4000), int64_t(20011)}) {
    std::mt19937 random(unsigned(count) * 7u);
    std::vector<float> numbers(static_cast<size_t>(count));
    for (float &number : numbers)
      number = float(int(random() % 201) - 100);
    const uint64_t in = machine.put(numbers, "in"), total = machine.put(std::vector<float>{0.5f}, "total");
    const uint64_t maximum = machine.space<float>(grid, "maximum");
    machine.launch("reduce", {grid}, {block}, 0, in, count, total, maximum);

    float sum = 0.5f;
    std::vector<float> maxima(grid, -INFINITY);
    for (size_t i = 0; i < numbers.size(); ++i) {
      sum += numbers[i];
      float &most = maxima[i / block % grid];
      most = std::max(most, numbers[i]);
    }
    expectEqual("total", machine.get<float>(total, 1), {sum});
    expectEqual("maximum", machine.getWritten<float>(maximum, grid, "maximum"), maxima);
  }
}

} // namespace attn::foreign
