// SPDX-License-Identifier: Apache-2.0
// Damaged .npy files are read, and what is accepted is used.
#include "runtime/Npy.h"
#include "test/fuzz/Fuzz.h"

using namespace attn;

int main(int count, char **words) {
  std::vector<std::string> originals;
  for (DType type : {DType::F16, DType::F32, DType::F64, DType::I32, DType::I64, DType::Bool})
    originals.push_back(printNpy(makeArray(type, {2, 3, 4})));
  originals.push_back(printNpy(makeArray(DType::F32, {})));
  originals.push_back(printNpy(makeArray(DType::F32, {5, 0})));
  double sum = 0;
  auto consume = [&](const std::string &text) {
    std::string repaired = text;
    // A damaged header has another length; the field that says so is made right in half of the cases.
    size_t end = text.find('\n');
    if (text.size() % 2 && text.size() > 10 && end != std::string::npos && end > 10) {
      repaired[8] = static_cast<char>((end - 9) & 0xff);
      repaired[9] = static_cast<char>((end - 9) >> 8);
    }
    Array array = parseNpy(repaired, "x.npy");
    for (int64_t i = 0; i < array.count(); ++i)
      sum += array.at(i);
    if (isFloat(array.type))
      converted(array, DType::BF16);
    printNpy(array);
  };
  int status = fuzz::run(count, words, originals, consume);
  return sum == 12345.678 ? 3 : status; // keeps the reads
}
