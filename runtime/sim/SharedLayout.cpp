// SPDX-License-Identifier: Apache-2.0
// The end of a module: calls are resolved, and shared variables get their places in the window of each entry.
#include "runtime/sim/ParserState.h"

namespace attn::sim {

//===-- The end --------------------------------------------------------------------------------------------------------

void Parser::finish() {
  for (const PendingCall &call : calls)
    resolveCall(call);
  if (module->target.empty())
    record(tokens.back(), "expects a .target directive, got none");
  if (errors.empty()) {
    module->findRecursion();
    placeShared();
  }
  std::stable_sort(module->labels.begin(), module->labels.end(),
                   [](const Label &a, const Label &b) { return a.target < b.target; });
}

void Parser::placeShared() {
  // What a device function mentions must lie at the same place whichever entry calls it.
  std::vector<bool> everywhere(shared.size());
  bool dynamicEverywhere = false;
  for (const SharedFixup &fixup : binder.fixups)
    if (!module->functions[fixup.function].entry) {
      everywhere[fixup.variable] = true;
      dynamicEverywhere |= shared[fixup.variable].dynamic;
    }
  std::vector<std::vector<bool>> used(module->functions.size(), everywhere);
  for (const SharedFixup &fixup : binder.fixups)
    used[fixup.function][fixup.variable] = true;
  std::vector<std::vector<uint32_t>> offsets(module->functions.size());
  uint32_t end = kSharedWindowStart, align = 0;
  for (size_t f = 0; f < module->functions.size(); ++f) {
    offsets[f].assign(shared.size(), 0);
    Function &function = module->functions[f];
    function.sharedStaticEnd = kSharedWindowStart;
    placeStatics(function, everywhere, everywhere, offsets[f], true);
    placeStatics(function, used[f], everywhere, offsets[f], false);
    end = std::max(end, function.sharedStaticEnd);
    for (size_t v = 0; v < shared.size(); ++v)
      if (shared[v].dynamic && used[f][v])
        align = std::max(align, shared[v].align);
  }
  for (size_t f = 0; f < module->functions.size(); ++f)
    placeDynamic(module->functions[f], used[f], offsets[f], dynamicEverywhere ? end : 0, dynamicEverywhere ? align : 0);
  for (const SharedFixup &fixup : binder.fixups) {
    const uint64_t value = offsets[fixup.function][fixup.variable] + uint64_t(fixup.addend);
    if (fixup.slot < 0)
      module->constants.set(fixup.constant, fixup.wide ? value : uint32_t(value), fixup.wide);
    else
      (fixup.slot == 0   ? module->ops[fixup.op].imm
       : fixup.slot == 1 ? module->ops[fixup.op].imm2
                         : module->ops[fixup.op].imm3) = value;
  }
}

void Parser::placeStatics(Function &function, const std::vector<bool> &which, const std::vector<bool> &everywhere,
                          std::vector<uint32_t> &offsets, bool common) {
  for (size_t v = 0; v < shared.size(); ++v) {
    if (shared[v].dynamic || !which[v] || (everywhere[v] && !common))
      continue;
    uint32_t &end = function.sharedStaticEnd;
    offsets[v] = (end + shared[v].align - 1) / shared[v].align * shared[v].align;
    end = offsets[v] + shared[v].size;
    function.shared.push_back({shared[v].name, offsets[v], shared[v].size, false, shared[v].line});
  }
}

void Parser::placeDynamic(Function &function, const std::vector<bool> &used, std::vector<uint32_t> &offsets,
                          uint32_t end, uint32_t align) {
  bool any = align != 0;
  for (size_t v = 0; v < shared.size(); ++v)
    if (shared[v].dynamic && used[v])
      align = std::max(align, shared[v].align), any = true;
  if (!any)
    align = 16;
  uint32_t base = (std::max(end, function.sharedStaticEnd) + align - 1) / align;
  base += base % 2 == 0;
  function.sharedDynamic = base * align;
  for (size_t v = 0; v < shared.size(); ++v)
    if (shared[v].dynamic && used[v]) {
      offsets[v] = function.sharedDynamic;
      function.shared.push_back({shared[v].name, offsets[v], shared[v].size, true, shared[v].line});
    }
}

} // namespace attn::sim
