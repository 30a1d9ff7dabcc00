// SPDX-License-Identifier: Apache-2.0
// The PTX parser inside functions: scopes, labels, instructions and calls.
#include "runtime/sim/ParserState.h"

namespace attn::sim {

//===-- Statements -----------------------------------------------------------------------------------------------------

void Parser::statement() {
  const Token &t = peek();
  if (t.is('{')) {
    next();
    if (blocks.size() > kMaxDepth)
      fail(t, fmt::format("expects at most {} nested scopes", kMaxDepth));
    blocks.emplace_back();
  } else if (t.is('}')) {
    next();
    closeBlock(0);
  } else if (t.is(';')) {
    next();
  } else if (t.kind == Token::Modifier) {
    directive();
  } else if (t.kind == Token::Word && peek(1).is(':')) {
    label();
  } else {
    instruction();
  }
}

void Parser::directive() {
  const Token &t = peek();
  if (take(".reg"))
    registers();
  else if (t.text == ".shared" || t.text == ".global" || t.text == ".const")
    variable(false);
  else if (t.text == ".extern") {
    next();
    if (!peek().is(Token::Modifier, ".shared"))
      fail(peek(), "expects .shared after .extern in a function");
    variable(true);
  } else if (take(".local"))
    frameVariable(".local");
  else if (take(".param"))
    frameVariable(".param");
  else if (t.text == ".loc")
    skipLine();
  else if (take(".pragma")) {
    while (peek().kind == Token::String || peek().is(','))
      next();
    expect(';', "after .pragma");
  } else {
    next();
    fail(t, fmt::format("directive {} is not supported in a function", spelled(t)));
  }
}

void Parser::frameVariable(const char *) {
  const Declarator d = declarator();
  if (d.unsized)
    fail(d.name, fmt::format("expects a size for {}", spelled(d.name)));
  const uint32_t offset = place(module->functions[current].frameBytes, d);
  declare(d.name, {Symbol::Frame, d.type, -1, 0, offset, uint32_t(d.size)});
  expect(';', "after a variable");
}

void Parser::registers() {
  if (peek().is(Token::Modifier, ".v2") || peek().is(Token::Modifier, ".v4"))
    fail(peek(), "vector registers are not supported");
  const Type type = expectType();
  do {
    const Token &name = expectWord("a register name");
    if (!take('<')) {
      declare(name, {Symbol::Register, type, -1, 0, 0, 0});
      continue;
    }
    const Token &count = peek();
    const uint64_t n = expectInteger("a number of registers");
    if (n > (1u << 20))
      fail(count, fmt::format("expects at most 2^20 registers, got {}", n));
    expect('>', "after a number of registers");
    for (const RegisterRange &range : blocks.back().ranges)
      if (range.prefix == name.text)
        fail(name, fmt::format("{} is declared twice in one scope", spelled(name)));
    blocks.back().ranges.push_back({name.text, type, uint32_t(n), {}});
  } while (take(','));
  expect(';', "after a register declaration");
}

void Parser::label() {
  const Token &name = next();
  next();
  if (peek().is(Token::Modifier, ".branchtargets"))
    return branchTargets(name);
  if (peek().is(Token::Modifier, ".callprototype") || peek().is(Token::Modifier, ".calltargets"))
    fail(peek(), "indirect calls are not supported");
  if (!blocks.back().labels.try_emplace(name.text, uint32_t(module->ops.size())).second)
    fail(name, fmt::format("label {} is defined twice in one scope", spelled(name)));
  module->labels.push_back({std::string(name.text), current, uint32_t(module->ops.size()), name.line});
}

void Parser::branchTargets(const Token &name) {
  next();
  const uint32_t table = uint32_t(module->branchTables.size());
  if (!blocks.back().tables.try_emplace(name.text, table).second)
    fail(name, fmt::format("label {} is defined twice in one scope", spelled(name)));
  module->branchTables.emplace_back();
  do {
    const Token &target = expectWord("a label");
    const uint32_t element = uint32_t(module->branchTables[table].targets.size());
    module->branchTables[table].targets.push_back(0);
    blocks.back().pending.push_back({target.text, target, 0, int32_t(table), element, false});
  } while (take(','));
  expect(';', "after .branchtargets");
}

void Parser::closeBlock(size_t bottom) {
  if (blocks.size() <= bottom || blocks.size() < 2)
    return;
  Block block = std::move(blocks.back());
  blocks.pop_back();
  // The block of the parameters lies below the body's: labels end with the body.
  const bool outermost = blocks.size() == 2;
  for (PendingLabel &p : block.pending) {
    auto &map = p.wantsTable ? block.tables : block.labels;
    if (auto found = map.find(p.name); found != map.end()) {
      if (p.branchTable >= 0)
        module->branchTables[size_t(p.branchTable)].targets[p.element] = found->second;
      else
        module->ops[p.op].imm = found->second;
    } else if (outermost) {
      record(p.token, fmt::format("label {} is not defined in this function", spelled(p.token)));
    } else {
      blocks.back().pending.push_back(p);
    }
  }
}

//===-- Instructions ---------------------------------------------------------------------------------------------------

void Parser::instruction() {
  Op op;
  if (take('@')) {
    op.guardNegated = take('!');
    const Token &name = expectWord("a predicate");
    const Symbol *symbol = lookup(name.text);
    if (!symbol || symbol->kind != Symbol::Register || symbol->type != Type::Pred)
      fail(name, fmt::format("expects a predicate register as guard, got {}", spelled(name)));
    op.guard = symbol->row;
  }
  const Token mnemonic = expectWord("an instruction");
  const std::string_view text = formText(mnemonic);
  op.line = mnemonic.line;
  op.column = mnemonic.column;
  if (mnemonic.text == "call")
    return call(op, text, mnemonic);
  std::vector<Operand> operands;
  while (!peek().is(';')) {
    operands.push_back(operand());
    if (!take(','))
      break;
  }
  if (!peek().is(';'))
    fail(peek(), fmt::format("expects ',' or ';' after an operand, got {}", spelled(peek())));
  emit(op, text, operands, mnemonic);
  next();
}

void Parser::emit(Op &op, std::string_view text, const std::vector<Operand> &operands, const Token &mnemonic) {
  auto [known, fresh] = matches.try_emplace(text);
  Matches &m = known->second;
  if (fresh)
    m.candidates = matchForm(text, m.error);
  if (m.candidates.empty())
    fail(mnemonic, m.error);
  std::string message;
  Token where = mnemonic;
  if (!binder.bind(m.candidates, operands, current, mnemonic, op, message, where))
    fail(where, message);
  if (op.guard != kNoPredicate) {
    module->uses.push_back({op.guard, false, true});
    ++module->opUses.back().reads;
  }
  if (binder.label)
    blocks.back().pending.push_back(
        {binder.label->token.text, binder.label->token, uint32_t(module->ops.size()), -1, 0, binder.labelIsTable});
  module->ops.push_back(op);
}

std::string_view Parser::formText(const Token &word) {
  const char *end = word.text.data() + word.text.size();
  const size_t first = at;
  bool contiguous = true;
  while (peek().kind == Token::Modifier) {
    contiguous &= peek().text.data() == end;
    end = peek().text.data() + peek().text.size();
    next();
  }
  if (contiguous)
    return {word.text.data(), size_t(end - word.text.data())};
  std::string joined(word.text);
  for (size_t i = first; i < at; ++i)
    joined += tokens[i].text;
  spellings.push_back(std::make_unique<std::string>(std::move(joined)));
  return *spellings.back();
}

Operand Parser::operand() {
  if (peek().is('{'))
    return vector();
  if (peek().is('['))
    return address();
  Operand first = simple();
  if (!peek().is('|'))
    return first;
  next();
  Operand pair;
  pair.kind = Operand::Pair;
  pair.token = first.token;
  pair.elements.push_back(std::move(first));
  pair.elements.push_back(simple());
  return pair;
}

Operand Parser::simple() {
  Operand o;
  o.token = peek();
  o.negated = take('!');
  if (o.negated)
    o.token = peek();
  const bool negative = !o.negated && take('-');
  const Token &t = next();
  switch (t.kind) {
  case Token::Word:
    if (negative)
      break;
    o.token = t;
    while (peek().kind == Token::Modifier)
      o.suffix = next().text;
    if (peek().is('+') || (peek().is('-') && peek(1).kind == Token::Integer))
      o.offset = displacement(), o.hasOffset = true;
    return o;
  case Token::Integer:
    o.kind = Operand::Integer;
    if (negative && o.token.text.data() + 1 == t.text.data())
      o.token.text = {o.token.text.data(), t.text.size() + 1};
    o.value = negative ? ~t.value + 1 : t.value;
    return o;
  case Token::Float32:
    o.kind = Operand::Float32;
    o.value = t.value ^ (negative ? 0x80000000u : 0u);
    return o;
  case Token::Float64:
    o.kind = Operand::Float64;
    o.value = t.value ^ (negative ? uint64_t(1) << 63 : 0);
    return o;
  default:
    break;
  }
  at -= t.kind == Token::End ? 0 : 1;
  fail(t, fmt::format("expects an operand, got {}", spelled(t)));
}

int64_t Parser::displacement() {
  uint64_t sum = 0;
  while (peek().is('+') || peek().is('-')) {
    bool negative = false;
    while (peek().is('+') || peek().is('-'))
      negative ^= next().is('-');
    const uint64_t value = expectInteger("an offset");
    sum += negative ? ~value + 1 : value;
  }
  return int64_t(sum);
}

Operand Parser::vector() {
  Operand o;
  o.kind = Operand::Vector;
  o.token = next();
  while (!take('}')) {
    o.elements.push_back(simple());
    if (!take(',') && !peek().is('}'))
      fail(peek(), fmt::format("expects ',' or '}}' in a vector, got {}", spelled(peek())));
  }
  return o;
}

Operand Parser::address() {
  Operand o;
  o.kind = Operand::Address;
  o.token = next();
  Operand base = simple();
  o.offset = base.offset;
  if (base.kind == Operand::Integer && (peek().is('+') || peek().is('-')))
    o.offset = displacement();
  o.elements.push_back(std::move(base));
  if (take(',')) {
    if (!peek().is('{'))
      fail(peek(), fmt::format("expects '{{' before coordinates, got {}", spelled(peek())));
    Operand coordinates = vector();
    o.hasCoordinates = true;
    for (Operand &c : coordinates.elements)
      o.elements.push_back(std::move(c));
  }
  expect(']', "after an address");
  return o;
}

//===-- Calls ----------------------------------------------------------------------------------------------------------

void Parser::call(Op &op, std::string_view text, const Token &mnemonic) {
  PendingCall pending;
  if (peek().is('(')) {
    pending.results = callList();
    expect(',', "after the results of a call");
  }
  pending.name = expectWord("a function");
  if (const Symbol *s = lookup(pending.name.text); s && s->kind == Symbol::Register)
    fail(pending.name, "indirect calls are not supported");
  if (take(',') && peek().is('('))
    pending.arguments = callList();
  if (!peek().is(';'))
    fail(peek(), fmt::format("expects ';' after a call, got {}", spelled(peek())));
  std::string error;
  std::vector<Candidate> candidates = matchForm(text, error);
  if (candidates.empty())
    fail(mnemonic, error);
  next();
  module->forms.push_back(candidates[0].form);
  op.form = &module->forms.back();
  op.handler = op.form->row->handler;
  op.flags = uint16_t(op.form->row->flags);
  op.imm = pending.site = uint32_t(module->calls.size());
  module->calls.emplace_back();
  OperandUses uses;
  uses.first = uint32_t(module->uses.size());
  if (op.guard != kNoPredicate) {
    module->uses.push_back({op.guard, false, true});
    uses.reads = 1;
  }
  module->opUses.push_back(uses);
  module->ops.push_back(op);
  calls.push_back(std::move(pending));
}

std::vector<Symbol> Parser::callList() {
  std::vector<Symbol> list;
  expect('(', "in a call");
  while (!take(')')) {
    const Token &name = expectWord("a .param variable");
    const Symbol *symbol = lookup(name.text);
    if (!symbol || symbol->kind != Symbol::Frame)
      fail(name, fmt::format("expects a .param variable, got {}", spelled(name)));
    list.push_back(*symbol);
    if (!take(',') && !peek().is(')'))
      fail(peek(), fmt::format("expects ',' or ')' in a call, got {}", spelled(peek())));
  }
  return list;
}

void Parser::resolveCall(const PendingCall &call) {
  CallSite &site = module->calls[call.site];
  const Symbol *symbol = find(call.name.text);
  auto copies = [](const std::vector<Symbol> &actual, const std::vector<Parameter> *formal) {
    std::vector<CallSite::Copy> list;
    for (size_t i = 0; i < actual.size(); ++i)
      list.push_back({actual[i].offset, formal ? (*formal)[i].offset : 0, actual[i].size});
    return list;
  };
  if (call.name.text == "vprintf" || call.name.text == "__assertfail") {
    site.builtin = std::string(call.name.text);
    site.arguments = copies(call.arguments, nullptr);
    site.results = copies(call.results, nullptr);
    return;
  }
  if (!symbol || symbol->kind != Symbol::Function || !isDefined[symbol->index])
    return record(call.name,
                  fmt::format("function {} is called but not defined{}", spelled(call.name), hint(call.name.text)));
  const Function &f = module->functions[symbol->index];
  auto agrees = [&](const std::vector<Symbol> &actual, const std::vector<Parameter> &formal, const char *what) {
    bool same = actual.size() == formal.size();
    for (size_t i = 0; same && i < actual.size(); ++i)
      same = actual[i].size == formal[i].size;
    if (!same)
      record(call.name, fmt::format("function {} expects {} {}, got {} (or of other sizes)", spelled(call.name),
                                    formal.size(), what, actual.size()));
    return same;
  };
  if (f.entry)
    return record(call.name, fmt::format("expects a .func, got the entry {}", spelled(call.name)));
  if (!agrees(call.arguments, f.parameters, "arguments") || !agrees(call.results, f.results, "results"))
    return;
  site.function = symbol->index;
  site.arguments = copies(call.arguments, &f.parameters);
  site.results = copies(call.results, &f.results);
}

std::string Parser::hint(std::string_view name) {
  if (name.substr(0, 9) == "llvm_nvvm" || name.substr(0, 9) == "llvm.nvvm")
    return ": LLVM knows no such intrinsic";
  if (name == "malloc" || name == "free")
    return ": device allocation is not supported";
  return "";
}

} // namespace attn::sim
