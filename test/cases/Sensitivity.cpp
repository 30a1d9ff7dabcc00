// SPDX-License-Identifier: Apache-2.0
// Makes wrong kernels by editing right specs, and demands that the comparison sees them clearly.
#include "test/cases/Sensitivity.h"
#include "test/cases/SpecText.h"

#include <fmt/format.h>

#include <cstdlib>

namespace attn::cases {

namespace {

constexpr const char *ShiftedCausal = R"(
func.func @causal(%b: index, %h: index, %q: index, %kv: index) -> i1 {{
  %one = arith.constant {} : index
  %end = arith.addi %q, %one : index
  %visible = arith.cmpi sle, %kv, %end : index
  return %visible : i1
}}
)";

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  if (at == std::string::npos)
    std::abort(); // the spec's text has changed: this edit must change with it
  return text.replace(at, from.size(), to);
}

Case encoded(std::string_view length, Axis Feature, std::string_view type) {
  Case c;
  c.list = "wrong";
  c.at[Data] = static_cast<uint8_t>(valueOf(Data, "index"));
  c.at[Lengths] = static_cast<uint8_t>(valueOf(Lengths, length));
  c.at[ElementType] = static_cast<uint8_t>(valueOf(ElementType, type));
  c.at[Feature] = 1;
  return c;
}

} // namespace

std::vector<WrongKernel> wrongKernels() {
  std::vector<WrongKernel> all;
  for (std::string_view type : {"bf16", "f16"})
    for (std::string_view length : {"113x203", "127x513", "3x799"}) {
      Case c = encoded(length, Causal, type);
      for (int shift : {-1, 1})
        all.push_back({fmt::format("{}.shifted_by_{}", c.name(), shift), c,
                       specText(c) + fmt::format(fmt::runtime(ShiftedCausal), shift)});
      c = encoded(length, Window, type);
      for (int64_t width : {WindowLeft - 1, WindowLeft + 1})
        all.push_back({fmt::format("{}.width_{}", c.name(), width), c,
                       replaced(specText(c), fmt::format("constant {} : index", WindowLeft),
                                fmt::format("constant {} : index", width))});
    }
  return all;
}

std::string insensitivity(Runner &theRunner, const WrongKernel &wrong) {
  Outcome result = theRunner.runSpecs(wrong.of, wrong.spec, specText(wrong.of));
  if (result.errors.empty())
    return result.fault;
  const OutputError &error = result.errors.front();
  if (error.largest >= 10 * error.allowed)
    return {};
  return fmt::format("a kernel that is wrong by one key has an error of {:.3g}, not ten times the allowed {:.3g}",
                     error.largest, error.allowed);
}

} // namespace attn::cases
