// SPDX-License-Identifier: Apache-2.0
// Binds the operands of an instruction to the pattern of its table row, which yields the decoded operation.
#include "runtime/sim/Scope.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace attn::sim {
namespace {

struct SpecialName {
  std::string_view name;
  Special first;
  unsigned count; // 3: .x .y .z
  bool wide;
};
constexpr SpecialName kSpecials[] = {
    {"%tid", Special::TidX, 3, false},
    {"%ntid", Special::NtidX, 3, false},
    {"%ctaid", Special::CtaidX, 3, false},
    {"%nctaid", Special::NctaidX, 3, false},
    {"%laneid", Special::LaneId, 1, false},
    {"%warpid", Special::WarpId, 1, false},
    {"%nwarpid", Special::NwarpId, 1, false},
    {"%lanemask_eq", Special::LanemaskEq, 1, false},
    {"%lanemask_lt", Special::LanemaskLt, 1, false},
    {"%lanemask_le", Special::LanemaskLe, 1, false},
    {"%lanemask_gt", Special::LanemaskGt, 1, false},
    {"%lanemask_ge", Special::LanemaskGe, 1, false},
    {"%smid", Special::SmId, 1, false},
    {"%nsmid", Special::NsmId, 1, false},
    {"%gridid", Special::GridId, 1, true},
    {"%clusterid", Special::ClusterIdX, 3, false},
    {"%nclusterid", Special::NclusterIdX, 3, false},
    {"%cluster_ctaid", Special::ClusterCtaidX, 3, false},
    {"%cluster_nctaid", Special::ClusterNctaidX, 3, false},
    {"%cluster_ctarank", Special::ClusterCtarank, 1, false},
    {"%cluster_nctarank", Special::ClusterNctarank, 1, false},
    {"%dynamic_smem_size", Special::DynamicSmemSize, 1, false},
    {"%total_smem_size", Special::TotalSmemSize, 1, false},
    {"%aggr_smem_size", Special::AggrSmemSize, 1, false},
    {"%clock", Special::Clock, 1, false},
    {"%clock_hi", Special::ClockHi, 1, false},
    {"%clock64", Special::Clock64, 1, true},
    {"%globaltimer", Special::GlobalTimer, 1, true},
    {"%globaltimer_lo", Special::GlobalTimerLo, 1, false},
    {"%globaltimer_hi", Special::GlobalTimerHi, 1, false},
};

bool isHalf(Type t) { return t == Type::F16 || t == Type::BF16 || t == Type::F16x2 || t == Type::BF16x2; }

uint8_t letterBit(char letter) {
  switch (letter) {
  case 'a':
    return 1;
  case 'b':
    return 2;
  case 'c':
    return 4;
  case 'e':
    return 8;
  case 'd':
    return 16;
  default:
    return 32;
  }
}

int32_t &slot(Op &op, char letter) {
  switch (letter) {
  case 'a':
    return op.a;
  case 'b':
    return op.b;
  case 'c':
    return op.c;
  case 'e':
    return op.e;
  case 'd':
    return op.dst;
  default:
    return op.dst2;
  }
}

std::string spelled(const Operand &operand) {
  switch (operand.kind) {
  case Operand::Vector:
    return "a vector of " + std::to_string(operand.elements.size());
  case Operand::Address:
    return "an address";
  case Operand::Pair:
    return "a pair";
  default:
    return "'" + std::string(operand.token.text.substr(0, 60)) + std::string(operand.suffix.substr(0, 20)) + "'";
  }
}

} // namespace

bool findSpecial(std::string_view name, std::string_view suffix, Special &special, bool &wide) {
  if (name.substr(0, 7) == "%envreg" && name.size() > 7 && suffix.empty()) {
    special = Special::Envreg;
    wide = false;
    return name.find_first_not_of("0123456789", 7) == std::string_view::npos;
  }
  for (const SpecialName &s : kSpecials) {
    if (s.name != name)
      continue;
    unsigned component = 0;
    if (s.count == 3) {
      if (suffix.size() != 2 || suffix[1] < 'x' || suffix[1] > 'z')
        return false;
      component = unsigned(suffix[1] - 'x');
    } else if (!suffix.empty()) {
      return false;
    }
    special = Special(unsigned(s.first) + component);
    wide = s.wide;
    return true;
  }
  return false;
}

/// The state of trying one row.
struct Binder::Attempt {
  Op op;
  Form form;
  unsigned progress = 0; // operands accepted
  std::string message;
  Token where;
  std::vector<int32_t> list;
  unsigned vectors = 0;
  std::vector<OperandUse> writes, reads;
  std::vector<SharedFixup> fixups;
  std::vector<Module::Relocation> relocations;
  const Operand *label = nullptr;
  bool labelIsTable = false;

  void use(bool write, int32_t row, Type type) {
    const bool predicate = type == Type::Pred;
    if (row < (predicate ? int32_t(kFirstPredicate) : int32_t(kFirstRow)))
      return;
    (write ? writes : reads).push_back({row, bitWidth(type) == 64, predicate});
  }
};

bool Binder::fail(Attempt &attempt, const Token &where, std::string message) {
  attempt.where = where;
  attempt.message = std::move(message);
  return false;
}

bool Binder::bind(const std::vector<Candidate> &candidates, const std::vector<Operand> &operands,
                  uint32_t functionIndex, const Token &mnemonic, Op &op, std::string &message, Token &where) {
  function = functionIndex;
  unsigned best = 0;
  bool first = true;
  for (const Candidate &candidate : candidates) {
    Attempt attempt;
    attempt.op = op;
    attempt.where = mnemonic;
    if (tryBind(candidate, operands, attempt)) {
      commit(attempt, op);
      return true;
    }
    if (first || attempt.progress > best) {
      best = attempt.progress;
      message = attempt.message;
      where = attempt.where;
    }
    first = false;
  }
  return false;
}

bool Binder::tryBind(const Candidate &candidate, const std::vector<Operand> &operands, Attempt &attempt) {
  const std::vector<OperandItem> &items = *candidate.items;
  attempt.form = candidate.form;
  attempt.op.flags = uint16_t(candidate.form.row->flags | (candidate.form.aligned ? unsigned(FlagAligned) : 0u));
  size_t required = 0;
  for (const OperandItem &item : items)
    required += !item.optional;
  if (operands.size() < required || operands.size() > items.size())
    return fail(attempt, attempt.where,
                fmt::format("'{}' expects the operands {}, got {} of them", candidate.form.text,
                            items.empty() ? "none" : describe(items), operands.size()));
  for (size_t i = 0; i < operands.size(); ++i, ++attempt.progress)
    if (!bindItem(items[i], operands[i], attempt))
      return false;
  const TableRow &row = *candidate.form.row;
  if (row.choose) {
    attempt.form.exactWidths =
        attempt.op.dstBits == bitWidth(attempt.form.types[0]) && attempt.op.srcBits == bitWidth(attempt.form.types[1]);
    attempt.op.scalar = row.choose(attempt.form);
    if (!attempt.op.scalar)
      return fail(attempt, attempt.where,
                  fmt::format("'{}' is not PTX: its modifiers do not go together", candidate.form.text));
  }
  attempt.op.handler = row.handler;
  return true;
}

bool Binder::bindItem(const OperandItem &item, const Operand &operand, Attempt &attempt) {
  Op &op = attempt.op;
  switch (item.kind) {
  case OperandItem::Vector:
    return bindVector(item, operand, attempt);
  case OperandItem::Address:
    return bindAddress(item, operand, attempt);
  case OperandItem::LabelTarget:
  case OperandItem::LabelTable:
    if (operand.kind != Operand::Name || operand.hasOffset || !operand.suffix.empty())
      return fail(attempt, operand.token, "expects a label, got " + spelled(operand));
    attempt.label = &operand;
    attempt.labelIsTable = item.kind == OperandItem::LabelTable;
    return true;
  case OperandItem::Call:
    return fail(attempt, operand.token, "expects a call");
  case OperandItem::Flag: {
    // 1 and 2 are factors of one or minus one, 4 and 8 transpositions.
    const bool sign = item.letter <= '2';
    const int64_t value = int64_t(operand.value);
    if (operand.kind != Operand::Integer || (sign ? value != 1 && value != -1 : value != 0 && value != 1))
      return fail(attempt, operand.token,
                  fmt::format("expects {}, got {}", sign ? "1 or -1" : "0 or 1", spelled(operand)));
    if (sign ? value < 0 : value == 1)
      op.imm |= uint64_t(item.letter - '0');
    return true;
  }
  case OperandItem::SpecialRegister: {
    Special special{};
    bool wide = false;
    if (operand.kind != Operand::Name || !findSpecial(operand.token.text, operand.suffix, special, wide))
      return fail(attempt, operand.token, "expects a register, constant or special register, got " + spelled(operand));
    const unsigned bits = bitWidth(attempt.form.type());
    if (bits != (wide ? 64u : 32u) && !(special == Special::GridId && bits == 32) && bits != 16)
      return fail(attempt, operand.token,
                  fmt::format("special register {} has {} bits, '{}' expects {}", spelled(operand), wide ? 64 : 32,
                              attempt.form.text, bits));
    op.imm = uint64_t(special);
    return true;
  }
  case OperandItem::FrameVariable: {
    const Symbol *symbol = operand.kind == Operand::Name ? names.lookup(operand.token.text) : nullptr;
    if (!symbol || symbol->kind != Symbol::Frame)
      return fail(attempt, operand.token, "expects a register or variable, got " + spelled(operand));
    op.imm = symbol->offset + uint64_t(operand.offset);
    return true;
  }
  case OperandItem::Scalar:
    break;
  }
  const Type type = operandType(attempt.form, item.type);
  if (!item.second) {
    const bool sink = (op.flags & (FlagMemory | FlagAsync)) != 0;
    return bindScalar(operand, type, item.letter, item.constant, sink, attempt);
  }
  if (operand.kind != Operand::Pair) {
    if (!item.secondOptional)
      return fail(attempt, operand.token, "expects two destinations a|b, got " + spelled(operand));
    return bindScalar(operand, type, item.letter, false, true, attempt);
  }
  return bindScalar(operand.elements[0], type, item.letter, false, true, attempt) &&
         bindScalar(operand.elements[1], operandType(attempt.form, item.secondType), item.second, false, true, attempt);
}

bool Binder::bindScalar(const Operand &operand, Type type, char letter, bool constant, bool sink, Attempt &attempt) {
  // q is a source where the instruction has no destination (masks and policies of copies).
  const bool destination = letter == 'd' || (letter == 'q' && attempt.form.row->name[0] != 'c');
  attempt.op.present |= letterBit(letter);
  int32_t &row = slot(attempt.op, letter);
  if (destination)
    return bindDestination(operand, type, sink, row, attempt);
  return bindSource(operand, type, constant, row, letter == 'q' ? 16 : letterBit(letter), attempt);
}

bool Binder::registerFits(const Symbol &symbol, Type type, const Attempt &attempt, bool destination) const {
  const unsigned have = bitWidth(symbol.type), want = bitWidth(type);
  const bool predicates = (symbol.type == Type::Pred) == (type == Type::Pred);
  if (!predicates)
    return false;
  if (attempt.op.flags & FlagRelaxed)
    if (have > want || (have == want && attempt.form.row->name[0] != 'c'))
      return true;
  if (have != want)
    return false;
  if (isUntyped(symbol.type) || isUntyped(type) || symbol.type == type)
    return true;
  if (isHalf(type) || isHalf(symbol.type))
    return false;
  return isFloat(symbol.type) == isFloat(type);
}

bool Binder::bindDestination(const Operand &operand, Type type, bool sink, int32_t &row, Attempt &attempt) {
  if (operand.isSink()) {
    if (!sink)
      return fail(attempt, operand.token, "'_' cannot stand here: expects a register");
    row = type == Type::Pred ? int32_t(kSinkPredicate) : int32_t(kSinkRow);
    return true;
  }
  const Symbol *symbol = operand.kind == Operand::Name ? names.lookup(operand.token.text) : nullptr;
  if (!symbol || symbol->kind != Symbol::Register || operand.hasOffset || operand.negated || !operand.suffix.empty())
    return fail(attempt, operand.token,
                fmt::format("expects a register of type .{}, got {}", name(type), spelled(operand)));
  if (!registerFits(*symbol, type, attempt, true))
    return fail(attempt, operand.token,
                fmt::format("'{}' expects a register of type .{}, got {} of type .{}", attempt.form.text, name(type),
                            spelled(operand), name(symbol->type)));
  row = symbol->row;
  attempt.op.dstBits = std::max(attempt.op.dstBits, uint8_t(bitWidth(symbol->type)));
  attempt.use(true, row, symbol->type);
  return true;
}

bool Binder::bindSource(const Operand &operand, Type type, bool constant, int32_t &row, uint8_t negateBit,
                        Attempt &attempt) {
  if (operand.kind == Operand::Integer || operand.kind == Operand::Float32 || operand.kind == Operand::Float64)
    return bindNumber(operand, type, row, attempt);
  if (operand.kind != Operand::Name || !operand.suffix.empty())
    return fail(attempt, operand.token,
                fmt::format("expects a register or constant of type .{}, got {}", name(type), spelled(operand)));
  if (operand.token.text == "WARP_SZ" && !isFloat(type) && type != Type::Pred) {
    row = module.constants.add(kLanes, bitWidth(type) == 64);
    return true;
  }
  const Symbol *symbol = names.lookup(operand.token.text);
  if (!symbol)
    return fail(attempt, operand.token, fmt::format("{} is not declared", spelled(operand)));
  if (symbol->kind != Symbol::Register)
    return bindSymbol(operand, *symbol, type, row, attempt);
  if (constant)
    return fail(attempt, operand.token, "expects a constant, got " + spelled(operand));
  if (operand.hasOffset || (operand.negated && type != Type::Pred))
    return fail(attempt, operand.token, "expects a plain register, got an expression");
  if (!registerFits(*symbol, type, attempt, false))
    return fail(attempt, operand.token,
                fmt::format("'{}' expects a register of type .{}, got {} of type .{}", attempt.form.text, name(type),
                            spelled(operand), name(symbol->type)));
  row = symbol->row;
  if (!attempt.op.srcBits)
    attempt.op.srcBits = uint8_t(bitWidth(symbol->type));
  if (operand.negated)
    attempt.op.negated |= negateBit;
  attempt.use(false, row, symbol->type);
  return true;
}

bool Binder::bindNumber(const Operand &operand, Type type, int32_t &row, Attempt &attempt) {
  const unsigned bits = bitWidth(type);
  uint64_t value = operand.value;
  bool fits = true;
  if (operand.kind == Operand::Integer) {
    const int64_t sign = int64_t(value);
    if (type == Type::Pred) {
      row = value ? kTrue : kFalse;
      return true;
    }
    fits = !(isFloat(type) && !isHalf(type) && type != Type::E4M3x2 && type != Type::E5M2x2);
    if (fits && bits < 64 && !(value >> bits == 0 || (sign < 0 && sign >= -(int64_t(1) << (bits - 1)))))
      return fail(attempt, operand.token, fmt::format("constant {} does not fit .{}", spelled(operand), name(type)));
  } else if (operand.kind == Operand::Float32) {
    fits = type == Type::F32 || type == Type::B32 || type == Type::TF32;
  } else if (type == Type::F32) {
    value = std::bit_cast<uint32_t>(float(std::bit_cast<double>(value)));
  } else {
    fits = type == Type::F64 || type == Type::B64;
  }
  if (!fits)
    return fail(attempt, operand.token,
                fmt::format("expects a constant of type .{}, got {}", name(type), spelled(operand)));
  if (bits < 64)
    value &= (uint64_t(1) << bits) - 1;
  row = module.constants.add(value, bits == 64);
  if (!attempt.op.srcBits)
    attempt.op.srcBits = uint8_t(bits);
  return true;
}

/// The address of a variable as a value.
bool Binder::bindSymbol(const Operand &operand, const Symbol &symbol, Type type, int32_t &row, Attempt &attempt) {
  const unsigned bits = bitWidth(type);
  const bool wide = bits == 64;
  if (!attempt.op.srcBits)
    attempt.op.srcBits = uint8_t(bits);
  if (isFloat(type) || (bits != 64 && bits != 32))
    return fail(
        attempt, operand.token,
        fmt::format("expects a register or constant of type .{}, got the variable {}", name(type), spelled(operand)));
  switch (symbol.kind) {
  case Symbol::Shared:
    row = module.constants.addPrivate(0, wide);
    attempt.fixups.push_back({function, symbol.index, operand.offset, 0, -1, row, wide});
    return true;
  case Symbol::Variable:
    if (!wide)
      return fail(attempt, operand.token, "the address of a global variable expects a 64-bit register");
    row = module.constants.addPrivate(0, true);
    attempt.relocations.push_back({symbol.index, uint64_t(operand.offset), false, 0, row});
    return true;
  case Symbol::EntryParameter:
    row = module.constants.add(symbol.offset + uint64_t(operand.offset), wide);
    return true;
  case Symbol::Frame:
    return fail(attempt, operand.token,
                fmt::format("the address of {} is available through mov only", spelled(operand)));
  default:
    return fail(attempt, operand.token, fmt::format("the address of function {} is not supported", spelled(operand)));
  }
}

bool Binder::bindVector(const OperandItem &item, const Operand &operand, Attempt &attempt) {
  const unsigned count = vectorCount(attempt.form, item.count);
  const Type type = operandType(attempt.form, item.type);
  const bool single = operand.kind != Operand::Vector;
  const size_t got = single ? 1 : operand.elements.size();
  if (got != count || operand.kind == Operand::Address || operand.kind == Operand::Pair)
    return fail(attempt, operand.token,
                fmt::format("'{}' expects a vector of {} for operand {}, got {}", attempt.form.text, count, item.letter,
                            spelled(operand)));
  for (unsigned i = 0; i < count; ++i) {
    const Operand &element = single ? operand : operand.elements[i];
    int32_t row = kNoRow;
    const bool good = item.destination() ? bindDestination(element, type, true, row, attempt)
                                         : bindSource(element, type, false, row, 0, attempt);
    if (!good)
      return false;
    attempt.list.push_back(row);
  }
  // Scalar handlers do not see the lists: they find the elements in the fields of the operation.
  if (attempt.form.row->choose) {
    const std::string_view letters = item.destination() ? "dqbc" : "abce";
    for (unsigned i = 0; i < count; ++i)
      slot(attempt.op, letters[i]) = attempt.list[i];
    attempt.form.vector = uint8_t(count);
  } else {
    slot(attempt.op, item.letter) = attempt.list.back();
  }
  attempt.op.present |= letterBit(item.letter);
  attempt.op.listSize[attempt.vectors++] = uint8_t(count);
  return true;
}

bool Binder::checkSpace(const Operand &operand, const Symbol &symbol, Attempt &attempt) {
  Form &form = attempt.form;
  std::string_view name = form.row->name;
  if (name != "ld" && name != "st" && name != "atom" && name != "red")
    return true;
  const Space space = form.space;
  bool fits = false;
  switch (symbol.kind) {
  case Symbol::Shared:
    fits = space == Space::Shared || space == Space::SharedCluster;
    break;
  case Symbol::EntryParameter:
    fits = space == Space::Param;
    break;
  case Symbol::Frame:
    fits = space == Space::Local || space == Space::Param;
    form.space = Space::Local;
    break;
  case Symbol::Variable: {
    const Space own = module.variables[symbol.index].space;
    fits = space == own || (space == Space::Generic && own == Space::Global);
    break;
  }
  default:
    break;
  }
  if (!fits)
    return fail(attempt, operand.token,
                fmt::format("'{}' expects an address of its space, got {} of another", form.text, spelled(operand)));
  return true;
}

bool Binder::bindAddress(const OperandItem &item, const Operand &operand, Attempt &attempt) {
  if (operand.kind != Operand::Address || operand.hasCoordinates != item.coordinates)
    return fail(attempt, operand.token,
                fmt::format("'{}' expects {}, got {}", attempt.form.text,
                            item.coordinates ? "[map, {coordinates}]" : "an address in brackets",
                            operand.hasCoordinates ? "coordinates" : spelled(operand)));
  Op &op = attempt.op;
  const Operand &base = operand.elements[0];
  const int which = item.letter - 'a';
  uint64_t &offset = which == 0 ? op.imm : which == 1 ? op.imm2 : op.imm3;
  op.present |= letterBit(item.letter);
  offset = uint64_t(operand.offset);
  if (base.kind == Operand::Integer) {
    offset += base.value;
  } else {
    const Symbol *symbol = base.kind == Operand::Name && base.suffix.empty() ? names.lookup(base.token.text) : nullptr;
    if (!symbol || symbol->kind == Symbol::Function)
      return fail(attempt, base.token,
                  fmt::format("{} is no address: expects a register, variable or constant", spelled(base)));
    if (symbol->kind == Symbol::Register) {
      const unsigned bits = bitWidth(symbol->type);
      if (isFloat(symbol->type) || (bits != 64 && bits != 32))
        return fail(attempt, base.token,
                    fmt::format("expects a 32- or 64-bit integer register as address, got {} of type .{}",
                                spelled(base), name(symbol->type)));
      std::string_view family = attempt.form.row->name;
      const Space space = attempt.form.space;
      if (bits == 32 && (family == "ld" || family == "st" || family == "atom" || family == "red") &&
          (space == Space::Global || space == Space::Generic))
        return fail(attempt, base.token,
                    fmt::format("'{}' expects a 64-bit address, got {} of 32 bits", attempt.form.text, spelled(base)));
      slot(op, item.letter) = symbol->row;
      op.wideAddress |= bits == 64 ? letterBit(item.letter) : 0;
      attempt.use(false, symbol->row, symbol->type);
    } else if (item.coordinates) {
      return fail(attempt, base.token,
                  fmt::format("expects the generic address of a tensor map in a register, got {}", spelled(base)));
    } else if (!checkSpace(base, *symbol, attempt)) {
      return false;
    } else if (symbol->kind == Symbol::Shared) {
      attempt.fixups.push_back(
          {function, symbol->index, operand.offset, uint32_t(module.ops.size()), which, kNoRow, false});
    } else if (symbol->kind == Symbol::Variable) {
      attempt.relocations.push_back(
          {symbol->index, uint64_t(operand.offset), true, uint32_t(module.ops.size()), kNoRow, which});
    } else {
      offset += symbol->offset;
    }
  }
  if (!item.coordinates)
    return true;
  const unsigned count = attempt.form.n;
  if (operand.elements.size() != count + 1)
    return fail(
        attempt, operand.token,
        fmt::format("'{}' expects {} coordinates, got {}", attempt.form.text, count, operand.elements.size() - 1));
  for (unsigned i = 0; i < count; ++i) {
    int32_t row = kNoRow;
    if (!bindSource(operand.elements[i + 1], Type::B32, false, row, 0, attempt))
      return false;
    attempt.list.push_back(row);
  }
  op.listSize[attempt.vectors++] = uint8_t(count);
  return true;
}

const Form *Binder::intern(const Form &form) {
  std::string key =
      fmt::format("{}#{}#{}#{}#{}", form.text, form.row->index, unsigned(form.space), form.vector, form.exactWidths);
  const Form *&known = interned[key];
  if (!known) {
    module.forms.push_back(form);
    known = &module.forms.back();
  }
  return known;
}

void Binder::commit(Attempt &attempt, Op &op) {
  op = attempt.op;
  op.form = intern(attempt.form);
  op.list = uint32_t(module.lists.size());
  module.lists.insert(module.lists.end(), attempt.list.begin(), attempt.list.end());
  fixups.insert(fixups.end(), attempt.fixups.begin(), attempt.fixups.end());
  module.relocations.insert(module.relocations.end(), attempt.relocations.begin(), attempt.relocations.end());
  module.usesWgmma |= (op.flags & FlagWgmma) != 0;
  OperandUses uses;
  uses.first = uint32_t(module.uses.size());
  uses.writes = uint16_t(attempt.writes.size());
  uses.reads = uint16_t(attempt.reads.size());
  module.uses.insert(module.uses.end(), attempt.writes.begin(), attempt.writes.end());
  module.uses.insert(module.uses.end(), attempt.reads.begin(), attempt.reads.end());
  module.opUses.push_back(uses);
  label = attempt.label;
  labelIsTable = attempt.labelIsTable;
}

} // namespace attn::sim
