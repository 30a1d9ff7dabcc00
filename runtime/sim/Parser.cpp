// SPDX-License-Identifier: Apache-2.0
// The PTX parser at module level: directives, variables, functions and their parameters.
#include "runtime/sim/ParserState.h"

#include <bit>
#include <cstdlib>

namespace attn::sim {

//===-- Tokens ---------------------------------------------------------------------------------------------------------

void Parser::recover(size_t begin) {
  size_t depth = 0;
  for (at = std::max(at, begin); begin < at; ++begin) {
    depth += tokens[begin].is('{');
    depth -= tokens[begin].is('}') && depth;
  }
  const size_t stopped = at;
  while (peek().kind != Token::End && !peek().is(';') && !(peek().is('}') && depth == 0)) {
    // At module level a brace opens the body of the function that went wrong.
    if (blocks.size() == 1 && peek().is('{') && depth == 0)
      return skipBraces();
    depth += peek().is('{');
    depth -= peek().is('}');
    next();
  }
  if (peek().is(';') || (blocks.size() == 1 && at == stopped))
    next();
}

void Parser::skipBraces() {
  size_t depth = 0;
  do {
    if (peek().is('{'))
      ++depth;
    if (peek().is('}') && depth)
      --depth;
    if (peek().kind == Token::End)
      return;
    next();
  } while (depth);
}

//===-- Module level ---------------------------------------------------------------------------------------------------

void Parser::moduleStatement() {
  const Token &t = peek();
  if (t.kind != Token::Modifier) {
    if (t.is(';'))
      return void(next());
    // A `.global` array of another tool's debug data has labels; nothing else starts with a word.
    next();
    fail(t, fmt::format("expects a directive, got {}", spelled(t)));
  }
  if (take(".version")) {
    const Token &number = next();
    // A version without a space before its point comes as one token, else the point belongs to a second one.
    bool split = number.kind == Token::Integer && peek().kind == Token::Modifier && peek().line == number.line;
    module->version = std::string(number.text) + (split ? std::string(next().text) : "");
    if (number.kind != Token::Float64 && number.kind != Token::Integer)
      fail(number, fmt::format("expects a version number, got {}", spelled(number)));
  } else if (take(".target")) {
    module->target = std::string(expectWord("a target").text);
    while (take(','))
      expectWord("a target option");
  } else if (take(".address_size")) {
    const Token &size = peek();
    if (expectInteger("an address size") != 64)
      fail(size, fmt::format("expects an address size of 64, got {}", spelled(size)));
  } else if (t.text == ".file" || t.text == ".loc") {
    skipLine();
  } else if (take(".section")) {
    while (peek().kind != Token::End && !peek().is('{'))
      next();
    skipBraces();
  } else if (take(".pragma")) {
    while (peek().kind == Token::String || peek().is(','))
      next();
    expect(';', "after .pragma");
  } else if (take(".alias")) {
    fail(t, ".alias is not supported");
  } else {
    linked();
  }
}

void Parser::linked() {
  bool isExtern = false;
  while (peek().kind == Token::Modifier &&
         (peek().text == ".visible" || peek().text == ".extern" || peek().text == ".weak" || peek().text == ".common"))
    isExtern |= next().text == ".extern";
  const Token &t = peek();
  if (take(".entry"))
    function(true, isExtern);
  else if (take(".func"))
    function(false, isExtern);
  else if (t.text == ".global" || t.text == ".const" || t.text == ".shared")
    variable(isExtern);
  else {
    next();
    fail(t, fmt::format("expects .entry, .func, .global, .const or .shared, got {}", spelled(t)));
  }
}

//===-- Variables ------------------------------------------------------------------------------------------------------

uint32_t Parser::alignment() {
  const Token &t = peek();
  uint64_t align = expectInteger("an alignment");
  if (align == 0 || align > (1u << 20) || (align & (align - 1)))
    fail(t, fmt::format("expects a power of two as alignment, got {}", spelled(t)));
  return uint32_t(align);
}

Type Parser::expectType() {
  const Token &t = peek();
  Type type = t.kind == Token::Modifier ? typeByName(t.text.substr(1)) : Type::None;
  if (type == Type::None)
    fail(t, fmt::format("expects a type, got {}", spelled(t)));
  if (type == Type::B128)
    fail(t, ".b128 is not supported");
  next();
  return type;
}

Parser::Declarator Parser::declarator() {
  Declarator d;
  uint32_t align = 0, vector = 1;
  while (true) {
    if (take(".align"))
      align = alignment();
    else if (take(".v2"))
      vector = 2;
    else if (take(".v4"))
      vector = 4;
    else if (take(".attribute")) {
      while (peek().kind != Token::End && !peek().is(')') && !peek().is(';'))
        next();
      expect(')', "after .attribute");
    } else
      break;
  }
  const Token &typeToken = peek();
  d.type = expectType();
  if (d.type == Type::Pred)
    fail(typeToken, "a variable cannot be a predicate");
  pointerAttributes();
  d.name = expectWord("a name");
  d.size = uint64_t(vector) * (bitWidth(d.type) / 8);
  d.align = align ? align : uint32_t(d.size);
  while (take('[')) {
    if (take(']')) {
      d.unsized = true;
      continue;
    }
    const Token &count = peek();
    const uint64_t n = expectInteger("an array size");
    if (n > kMaxVariableBytes || d.size * n > kMaxVariableBytes)
      fail(count, fmt::format("expects arrays of at most 2^31 bytes, got {} elements", n));
    d.size *= n;
    expect(']', "after the array size");
  }
  return d;
}

void Parser::pointerAttributes() {
  if (!take(".ptr"))
    return;
  while (peek().kind == Token::Modifier) {
    if (take(".align"))
      alignment();
    else
      next();
  }
}

Symbol &Parser::declare(const Token &name, Symbol symbol) {
  auto [place, fresh] = blocks.back().symbols.try_emplace(name.text, symbol);
  if (!fresh && !(place->second.kind == Symbol::Function && symbol.kind == Symbol::Function))
    fail(name, fmt::format("{} is declared twice in one scope", spelled(name)));
  return place->second;
}

void Parser::variable(bool isExtern) {
  const std::string_view space = next().text;
  const Declarator first = declarator();
  variableNamed(space, first, isExtern);
  expect(';', "after a variable");
}

void Parser::variableNamed(std::string_view space, const Declarator &d, bool isExtern) {
  if (space == ".shared") {
    if (peek().is('='))
      fail(peek(), "a shared variable cannot have an initial value");
    if (d.unsized && !isExtern)
      fail(d.name, fmt::format("expects a size for {}, which is not .extern", spelled(d.name)));
    declare(d.name, {Symbol::Shared, d.type, -1, uint32_t(shared.size()), 0, uint32_t(d.size)});
    shared.push_back({std::string(d.name.text), d.unsized ? 0 : uint32_t(d.size), d.align, isExtern, d.name.line});
    return;
  }
  if (isExtern)
    fail(d.name, fmt::format(".extern variable {} is not supported: a module is complete", spelled(d.name)));
  Variable v;
  v.name = std::string(d.name.text);
  v.space = space == ".const" ? Space::Constant : Space::Global;
  v.size = d.size;
  v.align = d.align;
  v.line = d.name.line;
  if (take('='))
    initializer(v, d);
  else if (d.unsized)
    fail(d.name, fmt::format("expects a size for {}", spelled(d.name)));
  declare(d.name, {Symbol::Variable, d.type, -1, uint32_t(module->variables.size()), 0, uint32_t(v.size)});
  module->variables.push_back(std::move(v));
}

void Parser::initializer(Variable &v, const Declarator &d) {
  const unsigned bytes = bitWidth(d.type) / 8;
  size_t depth = 0;
  const Token &start = peek();
  while (true) {
    if (take('{')) {
      ++depth;
      continue;
    }
    if (depth && take('}')) {
      if (--depth == 0)
        break;
      take(',');
      continue;
    }
    initialElement(v, d.type, bytes);
    if (depth == 0)
      break;
    if (!take(',') && !peek().is('}'))
      fail(peek(), fmt::format("expects ',' or '}}' in an initial value, got {}", spelled(peek())));
  }
  if (d.unsized)
    v.size = v.initial.size();
  if (v.initial.size() > v.size)
    fail(start, fmt::format("expects at most {} bytes of initial values, got {}", v.size, v.initial.size()));
  v.initial.resize(v.size);
}

void Parser::initialElement(Variable &v, Type type, unsigned bytes) {
  uint64_t value = 0;
  const Token &t = peek();
  if (t.kind == Token::Word) {
    symbolElement(v, bytes, ~uint64_t(0));
    return;
  }
  const bool negative = take('-');
  const Token &number = next();
  if (number.kind == Token::Integer && peek().is('(')) {
    // 0xFF00(symbol): one byte of an address.
    next();
    symbolElement(v, bytes, number.value);
    expect(')', "after a masked symbol");
    return;
  }
  if (number.kind == Token::Integer)
    value = negative ? ~number.value + 1 : number.value;
  else if (number.kind == Token::Float32 && bytes == 4)
    value = number.value;
  else if (number.kind == Token::Float64 && type == Type::F32) {
    float f = float(std::bit_cast<double>(number.value));
    value = std::bit_cast<uint32_t>(negative ? -f : f);
  } else if (number.kind == Token::Float64 && bytes == 8)
    value = number.value ^ (negative ? uint64_t(1) << 63 : 0);
  else
    fail(t, fmt::format("expects a value of type .{}, got {}", name(type), spelled(number)));
  for (unsigned i = 0; i < bytes; ++i)
    v.initial.push_back(uint8_t(value >> (8 * i)));
}

void Parser::symbolElement(Variable &v, unsigned bytes, uint64_t mask) {
  SymbolInitializer s;
  if (peek().text == "generic" && peek(1).is('(')) {
    next();
    next();
    s.generic = true;
  }
  const Token &name = expectWord("a symbol");
  const Symbol *symbol = find(name.text);
  if (!symbol || symbol->kind != Symbol::Variable)
    fail(name, fmt::format("expects a .global or .const variable, got {}", spelled(name)));
  if (s.generic)
    expect(')', "after generic(");
  if (take('+'))
    s.addend = int64_t(expectInteger("an offset"));
  s.variable = symbol->index;
  s.offset = uint32_t(v.initial.size());
  s.size = bytes;
  if (mask != ~uint64_t(0)) {
    while (mask && !(mask & 0xff))
      mask >>= 8, ++s.shift;
    if (mask != 0xff || bytes != 1)
      fail(name, "expects a mask of one byte before a symbol");
  } else if (bytes != 8) {
    fail(name, fmt::format("the address of {} expects an element of 8 bytes, got {}", spelled(name), bytes));
  }
  v.symbols.push_back(s);
  v.initial.insert(v.initial.end(), bytes, 0);
}

//===-- Functions ------------------------------------------------------------------------------------------------------

void Parser::function(bool entry, bool isExtern) {
  Function f;
  f.entry = entry;
  blocks.emplace_back();
  const size_t depth = blocks.size();
  try {
    if (!entry && peek().is('('))
      parameters(f, f.results);
    const Token &name = expectWord("a function name");
    f.name = std::string(name.text);
    f.line = name.line;
    if (peek().is('('))
      parameters(f, f.parameters);
    directives(f);
    if (take(';')) {
      blocks.resize(depth - 1);
      declareFunction(name, std::move(f), false, entry);
      return;
    }
    expect('{', "before the body of a function");
    if (isExtern)
      fail(name, fmt::format(".extern function {} cannot have a body", spelled(name)));
    Block formals = std::move(blocks.back());
    blocks.resize(depth - 1);
    const uint32_t index = declareFunction(name, std::move(f), true, entry);
    blocks.push_back(std::move(formals));
    body(index);
  } catch (const Abandon &) {
    blocks.resize(depth - 1);
    throw;
  }
  blocks.resize(depth - 1);
}

uint32_t Parser::declareFunction(const Token &name, Function f, bool defined, bool entry) {
  if (const Symbol *known = find(name.text); known && known->kind == Symbol::Function) {
    Function &before = module->functions[known->index];
    if (defined && isDefined[known->index])
      fail(name, fmt::format("function {} is defined twice", spelled(name)));
    if (defined)
      before = std::move(f);
    isDefined[known->index] = isDefined[known->index] || defined;
    return known->index;
  }
  const uint32_t index = uint32_t(module->functions.size());
  declare(name, {Symbol::Function, Type::None, -1, index, 0, 0});
  module->functions.push_back(std::move(f));
  isDefined.push_back(defined);
  return index;
}

void Parser::parameters(Function &f, std::vector<Parameter> &list) {
  expect('(', "before parameters");
  while (!take(')')) {
    if (peek().is(Token::Modifier, ".reg"))
      fail(peek(), "parameters in registers are not supported");
    if (!take(".param"))
      fail(peek(), fmt::format("expects .param, got {}", spelled(peek())));
    const Declarator d = declarator();
    if (d.unsized)
      fail(d.name, fmt::format("expects a size for parameter {}", spelled(d.name)));
    uint32_t &space = f.entry ? f.parameterBytes : f.frameBytes;
    Parameter p{std::string(d.name.text), d.type, uint32_t(d.size), d.align, place(space, d)};
    declare(d.name, {f.entry ? Symbol::EntryParameter : Symbol::Frame, d.type, -1, 0, p.offset, p.size});
    list.push_back(std::move(p));
    if (!take(',') && !peek().is(')'))
      fail(peek(), fmt::format("expects ',' or ')' after a parameter, got {}", spelled(peek())));
  }
}

uint32_t Parser::place(uint32_t &end, const Declarator &d) {
  const uint64_t offset = (uint64_t(end) + d.align - 1) / d.align * d.align;
  if (offset + d.size > (uint64_t(1) << 28))
    fail(d.name,
         fmt::format("{} does not fit: parameters and local variables are limited to 2^28 bytes", spelled(d.name)));
  end = uint32_t(offset + d.size);
  return uint32_t(offset);
}

void Parser::directives(Function &f) {
  while (peek().kind == Token::Modifier) {
    const Token &t = next();
    if (t.text == ".maxntid")
      triple(f.maxntid);
    else if (t.text == ".reqntid")
      triple(f.reqntid);
    else if (t.text == ".reqnctapercluster")
      triple(f.clusterDim);
    else if (t.text == ".minnctapersm")
      f.minnctapersm = uint32_t(expectInteger("a number of blocks"));
    else if (t.text == ".maxnreg")
      f.maxnreg = uint32_t(expectInteger("a number of registers"));
    else if (t.text == ".maxclusterrank")
      f.maxClusterRank = uint32_t(expectInteger("a number of blocks"));
    else if (t.text == ".explicitcluster")
      f.explicitCluster = true;
    else if (t.text == ".pragma") {
      while (peek().kind == Token::String || peek().is(','))
        next();
      expect(';', "after .pragma");
    } else if (t.text != ".noreturn")
      fail(t, fmt::format("directive {} is not supported", spelled(t)));
  }
}

void Parser::triple(std::array<uint32_t, 3> &dims) {
  dims = {1, 1, 1};
  for (unsigned i = 0; i < 3; ++i) {
    dims[i] = uint32_t(std::min<uint64_t>(expectInteger("a size"), UINT32_MAX));
    if (i == 2 || !take(','))
      return;
  }
}

void Parser::body(uint32_t index) {
  current = index;
  Function &f = module->functions[index];
  if (!hasDeviceFunctions)
    nextRow = kFirstRow, nextPredicate = kFirstPredicate;
  f.begin = uint32_t(module->ops.size());
  f.firstRow = nextRow;
  f.firstPredicate = nextPredicate;
  const size_t outer = blocks.size();
  blocks.emplace_back();
  while (blocks.size() > outer && peek().kind != Token::End && errors.size() < kMaxErrors)
    guarded([&] { statement(); });
  if (blocks.size() > outer) {
    if (errors.size() < kMaxErrors)
      record(peek(), "expects '}' at the end of a function, got the end of the text");
    while (blocks.size() > outer)
      closeBlock(outer);
  }
  Function &g = module->functions[index];
  g.end = uint32_t(module->ops.size());
  g.lastRow = nextRow;
  g.lastPredicate = nextPredicate;
  module->rowCount = std::max(module->rowCount, size_t(nextRow));
  module->predicateCount = std::max(module->predicateCount, size_t(nextPredicate));
}

//===-- Names ----------------------------------------------------------------------------------------------------------

const Symbol *Parser::find(std::string_view name) const {
  for (size_t i = blocks.size(); i-- > 0;)
    if (auto found = blocks[i].symbols.find(name); found != blocks[i].symbols.end())
      return &found->second;
  return nullptr;
}

int32_t Parser::newRegister(std::string_view name, Type type) {
  int32_t row = 0;
  if (type == Type::Pred) {
    row = nextPredicate++;
  } else {
    row = nextRow;
    nextRow += bitWidth(type) == 64 ? 2 : 1;
  }
  module->registerNames.push_back({std::string(name), row, type == Type::Pred, current, type});
  return row;
}

const Symbol *Parser::lookup(std::string_view name) {
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  const bool numbered =
      digits < name.size() && name.size() - digits < 8 && (name[digits] != '0' || digits + 1 == name.size());
  const uint32_t number = numbered ? uint32_t(std::strtoul(std::string(name.substr(digits)).c_str(), nullptr, 10)) : 0;
  for (size_t i = blocks.size(); i-- > 0;) {
    Block &block = blocks[i];
    if (auto found = block.symbols.find(name); found != block.symbols.end()) {
      Symbol &symbol = found->second;
      if (symbol.kind == Symbol::Register && symbol.row < 0)
        symbol.row = newRegister(name, symbol.type);
      return &symbol;
    }
    for (RegisterRange &range : block.ranges) {
      // The prefix may itself end in a digit.
      if (range.prefix != name.substr(0, digits) || !numbered || number >= range.count)
        continue;
      auto [place, fresh] = range.rows.try_emplace(number, 0);
      if (fresh)
        place->second = newRegister(name, range.type);
      ranged = {Symbol::Register, range.type, place->second, 0, 0, 0};
      return &ranged;
    }
  }
  return nullptr;
}

ParseResult parse(std::string_view text, std::string_view file) { return Parser(text, file).run(); }

} // namespace attn::sim
