// SPDX-License-Identifier: Apache-2.0
// Look-ups in a parsed module, its constants, and the late binding of global addresses.
#include "runtime/sim/Module.h"
#include "runtime/sim/Parser.h"

#include <fmt/format.h>

namespace attn::sim {

std::string Diagnostic::text(std::string_view file) const {
  return fmt::format("{}:{}:{}: error: {}", file, line, column, message);
}

Row Constants::addPrivate(uint64_t value, bool wide) {
  const Row row = Row(kFirstConstant + int64_t(rows.size()));
  rows.resize(rows.size() + (wide ? 2 : 1));
  set(row, value, wide);
  return row;
}

Row Constants::add(uint64_t value, bool wide) {
  auto [place, fresh] = known[wide].try_emplace(value, 0);
  if (fresh)
    place->second = addPrivate(value, wide);
  return place->second;
}

void Constants::set(Row row, uint64_t value, bool wide) {
  const size_t index = size_t(row & INT32_MAX);
  for (unsigned l = 0; l < kLanes; ++l)
    if (wide)
      std::memcpy(reinterpret_cast<char *>(&rows[index]) + 8 * l, &value, 8);
    else
      rows[index].lane[l] = uint32_t(value);
}

const Function *Module::entry(std::string_view name) const {
  for (const Function &f : functions)
    if (f.entry && f.name == name && f.end > f.begin)
      return &f;
  return nullptr;
}

uint32_t Module::functionOf(uint32_t op) const {
  for (uint32_t i = 0; i < functions.size(); ++i)
    if (op >= functions[i].begin && op < functions[i].end)
      return i;
  return 0;
}

/// Marks the functions that `function` calls, and those that these call.
static void markCallees(const Module &module, uint32_t function, std::vector<bool> &reached) {
  const Function &f = module.functions[function];
  for (uint32_t i = f.begin; i < f.end; ++i) {
    if (std::string_view(module.ops[i].form->row->name) != "call")
      continue;
    const CallSite &site = module.calls[module.ops[i].imm];
    if (!site.builtin.empty() || reached[site.function])
      continue;
    reached[site.function] = true;
    markCallees(module, site.function, reached);
  }
}

void Module::findRecursion() {
  if (calls.empty())
    return;
  for (uint32_t i = 0; i < functions.size(); ++i) {
    std::vector<bool> reached(functions.size());
    markCallees(*this, i, reached);
    for (const RegisterName &name : registerNames)
      if (reached[i] && name.function == i)
        functions[i].saved.push_back({name.row, bitWidth(name.type) == 64, name.predicate});
  }
}

std::string Module::registerName(uint32_t op, Row row, bool predicate) const {
  const uint32_t function = functionOf(op);
  for (const RegisterName &r : registerNames)
    if (r.row == row && r.predicate == predicate && r.function == function)
      return r.name;
  return "_";
}

void Module::bind(uint32_t variable, uint64_t address) {
  variables[variable].address = address;
  for (const Relocation &r : relocations) {
    if (r.variable != variable)
      continue;
    const uint64_t value = address + r.addend;
    if (!r.inOp)
      constants.set(r.row, value, true);
    else
      (r.slot == 0 ? ops[r.index].imm : r.slot == 1 ? ops[r.index].imm2 : ops[r.index].imm3) = value;
  }
}

void Module::setWorstApproximation(bool worst) {
  if (forms.empty() || forms.front().worst == worst)
    return;
  for (Form &form : forms)
    form.worst = worst;
  for (Op &op : ops)
    if (op.scalar)
      op.scalar = op.form->row->choose(*op.form);
}

} // namespace attn::sim
