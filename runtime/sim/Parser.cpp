// SPDX-License-Identifier: Apache-2.0
// The PTX parser: directives, scopes and statements. Instructions are matched by the table and bound by the Binder.
#include "runtime/sim/Parser.h"
#include "runtime/sim/Scope.h"

#include <algorithm>
#include <fmt/format.h>

namespace attn::sim {
namespace {

constexpr size_t kMaxErrors = 20;
constexpr size_t kMaxDepth = 200;
constexpr uint64_t kMaxVariableBytes = uint64_t(1) << 31;

/// Leaves the statement that is being parsed; its error is recorded already.
struct Abandon {};

class Parser : Names {
public:
  Parser(std::string_view text, std::string_view file)
      : tokens(tokenize(text)), module(std::make_shared<Module>()), binder(*module, *this) {
    module->file = std::string(file);
    blocks.emplace_back();
    hasDeviceFunctions = std::any_of(tokens.begin(), tokens.end(), [](const Token &t) {
      return t.is(Token::Modifier, ".func");
    });
  }

  ParseResult run() {
    while (!peek().is(Token::End, "") && peek().kind != Token::End && errors.size() < kMaxErrors)
      guarded([&] { moduleStatement(); });
    if (errors.size() < kMaxErrors)
      finish();
    ParseResult result;
    result.errors = std::move(errors);
    if (result.errors.empty())
      result.module = module;
    return result;
  }

private:
  //===-- Tokens -----------------------------------------------------------------------------------------------------

  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  const Token &next() {
    const Token &t = peek();
    at = std::min(at + 1, tokens.size() - 1);
    return t;
  }
  bool take(char c) {
    if (!peek().is(c))
      return false;
    next();
    return true;
  }
  bool take(std::string_view modifier) {
    if (!peek().is(Token::Modifier, modifier))
      return false;
    next();
    return true;
  }
  void record(const Token &where, std::string message) {
    if (errors.size() < kMaxErrors)
      errors.push_back({where.line, where.column, std::move(message)});
  }
  [[noreturn]] void fail(const Token &where, std::string message) {
    record(where, std::move(message));
    throw Abandon();
  }
  static std::string spelled(const Token &t) {
    return t.kind == Token::End ? "the end of the text" : "'" + std::string(t.text.substr(0, 60)) + "'";
  }
  const Token &expect(char c, const char *where) {
    if (!peek().is(c))
      fail(peek(), fmt::format("expects '{}' {}, got {}", c, where, spelled(peek())));
    return next();
  }
  const Token &expectWord(const char *what) {
    if (peek().kind != Token::Word)
      fail(peek(), fmt::format("expects {}, got {}", what, spelled(peek())));
    return next();
  }
  uint64_t expectInteger(const char *what) {
    if (peek().kind != Token::Integer)
      fail(peek(), fmt::format("expects {}, got {}", what, spelled(peek())));
    return next().value;
  }
  /// Runs a statement; after an error goes on behind its end.
  template <class F> void guarded(F statement) {
    const size_t before = at;
    try {
      statement();
    } catch (const Abandon &) {
      recover(before);
    }
  }
  /// Goes behind the next `;`, but not behind a `}` that closes more than the statement opened.
  void recover(size_t begin) {
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
  void skipLine() {
    const uint32_t line = peek().line;
    while (peek().kind != Token::End && peek().line == line)
      next();
  }
  void skipBraces() {
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

  //===-- Module level -----------------------------------------------------------------------------------------------

  void moduleStatement() {
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

  /// What may follow .visible, .extern, .weak, .common.
  void linked() {
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

  //===-- Variables --------------------------------------------------------------------------------------------------

  struct Declarator {
    Token name;
    Type type = Type::None;
    uint32_t align = 1;
    uint64_t size = 0;
    bool unsized = false; // x[]
  };

  uint32_t alignment() {
    const Token &t = peek();
    uint64_t align = expectInteger("an alignment");
    if (align == 0 || align > (1u << 20) || (align & (align - 1)))
      fail(t, fmt::format("expects a power of two as alignment, got {}", spelled(t)));
    return uint32_t(align);
  }

  Type expectType() {
    const Token &t = peek();
    Type type = t.kind == Token::Modifier ? typeByName(t.text.substr(1)) : Type::None;
    if (type == Type::None)
      fail(t, fmt::format("expects a type, got {}", spelled(t)));
    if (type == Type::B128)
      fail(t, ".b128 is not supported");
    next();
    return type;
  }

  /// `.align 8 .v4 .b32 name[2][3]`
  Declarator declarator() {
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

  /// `.ptr .global .align 16` of a parameter.
  void pointerAttributes() {
    if (!take(".ptr"))
      return;
    while (peek().kind == Token::Modifier) {
      if (take(".align"))
        alignment();
      else
        next();
    }
  }

  Symbol &declare(const Token &name, Symbol symbol) {
    auto [place, fresh] = blocks.back().symbols.try_emplace(name.text, symbol);
    if (!fresh && !(place->second.kind == Symbol::Function && symbol.kind == Symbol::Function))
      fail(name, fmt::format("{} is declared twice in one scope", spelled(name)));
    return place->second;
  }

  /// .global .const .shared, at module or function level.
  void variable(bool isExtern) {
    const std::string_view space = next().text;
    const Declarator first = declarator();
    variableNamed(space, first, isExtern);
    expect(';', "after a variable");
  }

  void variableNamed(std::string_view space, const Declarator &d, bool isExtern) {
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

  void initializer(Variable &v, const Declarator &d) {
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

  void initialElement(Variable &v, Type type, unsigned bytes) {
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

  void symbolElement(Variable &v, unsigned bytes, uint64_t mask) {
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

  //===-- Functions --------------------------------------------------------------------------------------------------

  void function(bool entry, bool isExtern) {
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

  uint32_t declareFunction(const Token &name, Function f, bool defined, bool entry) {
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

  void parameters(Function &f, std::vector<Parameter> &list) {
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

  uint32_t place(uint32_t &end, const Declarator &d) {
    const uint64_t offset = (uint64_t(end) + d.align - 1) / d.align * d.align;
    if (offset + d.size > (uint64_t(1) << 28))
      fail(d.name, fmt::format("{} does not fit: parameters and local variables are limited to 2^28 bytes", spelled(d.name)));
    end = uint32_t(offset + d.size);
    return uint32_t(offset);
  }

  void directives(Function &f) {
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

  void triple(std::array<uint32_t, 3> &dims) {
    dims = {1, 1, 1};
    for (unsigned i = 0; i < 3; ++i) {
      dims[i] = uint32_t(std::min<uint64_t>(expectInteger("a size"), UINT32_MAX));
      if (i == 2 || !take(','))
        return;
    }
  }

  /// The statements between the braces; the opening one is taken.
  void body(uint32_t index) {
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

  //===-- Statements -------------------------------------------------------------------------------------------------

  void statement() {
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

  void directive() {
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

  void frameVariable(const char *) {
    const Declarator d = declarator();
    if (d.unsized)
      fail(d.name, fmt::format("expects a size for {}", spelled(d.name)));
    const uint32_t offset = place(module->functions[current].frameBytes, d);
    declare(d.name, {Symbol::Frame, d.type, -1, 0, offset, uint32_t(d.size)});
    expect(';', "after a variable");
  }

  void registers() {
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

  void label() {
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

  void branchTargets(const Token &name) {
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

  /// Resolves what can be resolved and hands the rest to the scope around. `bottom` is never popped below.
  void closeBlock(size_t bottom) {
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

  //===-- Instructions -----------------------------------------------------------------------------------------------

  void instruction() {
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

  void emit(Op &op, std::string_view text, const std::vector<Operand> &operands, const Token &mnemonic) {
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

  /// The name and modifiers; a copy only if blanks stand between them.
  std::string_view formText(const Token &word) {
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

  Operand operand() {
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

  Operand simple() {
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
    default: break;
    }
    at -= t.kind == Token::End ? 0 : 1;
    fail(t, fmt::format("expects an operand, got {}", spelled(t)));
  }

  /// "+8", "-8", "+-8"; several add up.
  int64_t displacement() {
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

  Operand vector() {
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

  Operand address() {
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

  //===-- Calls ------------------------------------------------------------------------------------------------------

  struct PendingCall {
    uint32_t site;
    Token name;
    std::vector<Symbol> arguments, results;
  };

  void call(Op &op, std::string_view text, const Token &mnemonic) {
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

  std::vector<Symbol> callList() {
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

  void resolveCall(const PendingCall &call) {
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
      return record(call.name, fmt::format("function {} is called but not defined{}", spelled(call.name), hint(call.name.text)));
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

  static std::string hint(std::string_view name) {
    if (name.substr(0, 9) == "llvm_nvvm" || name.substr(0, 9) == "llvm.nvvm")
      return ": LLVM knows no such intrinsic";
    if (name == "malloc" || name == "free")
      return ": device allocation is not supported";
    return "";
  }

  //===-- Names ------------------------------------------------------------------------------------------------------

  const Symbol *find(std::string_view name) const {
    for (size_t i = blocks.size(); i-- > 0;)
      if (auto found = blocks[i].symbols.find(name); found != blocks[i].symbols.end())
        return &found->second;
    return nullptr;
  }

  int32_t newRegister(std::string_view name, Type type) {
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

  const Symbol *lookup(std::string_view name) override {
    const size_t digits = name.find_last_not_of("0123456789") + 1;
    const bool numbered = digits < name.size() && name.size() - digits < 8 && (name[digits] != '0' || digits + 1 == name.size());
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

  //===-- The end ----------------------------------------------------------------------------------------------------

  void finish() {
    for (const PendingCall &call : calls)
      resolveCall(call);
    if (module->target.empty())
      record(tokens.back(), "expects a .target directive, got none");
    if (errors.empty())
      placeShared();
    std::stable_sort(module->labels.begin(), module->labels.end(),
                     [](const Label &a, const Label &b) { return a.target < b.target; });
  }

  /// Gives the shared variables their window offsets, function by function.
  void placeShared() {
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
        (fixup.slot == 0 ? module->ops[fixup.op].imm : fixup.slot == 1 ? module->ops[fixup.op].imm2 : module->ops[fixup.op].imm3) = value;
    }
  }

  void placeStatics(Function &function, const std::vector<bool> &which, const std::vector<bool> &everywhere,
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

  void placeDynamic(Function &function, const std::vector<bool> &used, std::vector<uint32_t> &offsets, uint32_t end,
                    uint32_t align) {
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

  struct Matches {
    std::vector<Candidate> candidates;
    std::string error;
  };

  std::vector<Token> tokens;
  size_t at = 0;
  std::shared_ptr<Module> module;
  Binder binder;
  std::vector<Diagnostic> errors;
  std::vector<Block> blocks;
  std::vector<SharedDeclaration> shared;
  std::vector<bool> isDefined;
  std::vector<PendingCall> calls;
  std::unordered_map<std::string_view, Matches> matches;
  std::vector<std::unique_ptr<std::string>> spellings;
  Symbol ranged;
  bool hasDeviceFunctions = false;
  uint32_t current = 0;
  Row nextRow = kFirstRow;
  Predicate nextPredicate = kFirstPredicate;
};

} // namespace

ParseResult parse(std::string_view text, std::string_view file) { return Parser(text, file).run(); }

} // namespace attn::sim
