// SPDX-License-Identifier: Apache-2.0
// The PTX parser's state: a cursor over the tokens, open scopes, what is to be patched at the end. Defined in
// Parser.cpp (module level), Statements.cpp (function bodies) and SharedLayout.cpp (places of shared variables).
#pragma once

#include "runtime/sim/Parser.h"
#include "runtime/sim/Scope.h"

#include <algorithm>
#include <fmt/format.h>

namespace attn::sim {

inline constexpr size_t kMaxErrors = 20;
inline constexpr size_t kMaxDepth = 200;
inline constexpr uint64_t kMaxVariableBytes = uint64_t(1) << 31;

/// Leaves the statement that is being parsed; its error is recorded already.
struct Abandon {};

class Parser : Names {
public:
  Parser(std::string_view text, std::string_view file)
      : tokens(tokenize(text)), module(std::make_shared<Module>()), binder(*module, *this) {
    module->file = std::string(file);
    blocks.emplace_back();
    hasDeviceFunctions =
        std::any_of(tokens.begin(), tokens.end(), [](const Token &t) { return t.is(Token::Modifier, ".func"); });
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
  void recover(size_t begin);
  void skipLine() {
    const uint32_t line = peek().line;
    while (peek().kind != Token::End && peek().line == line)
      next();
  }
  void skipBraces();

  //===-- Module level -----------------------------------------------------------------------------------------------

  void moduleStatement();

  /// What may follow .visible, .extern, .weak, .common.
  void linked();

  //===-- Variables --------------------------------------------------------------------------------------------------

  struct Declarator {
    Token name;
    Type type = Type::None;
    uint32_t align = 1;
    uint64_t size = 0;
    bool unsized = false; // x[]
  };
  uint32_t alignment();
  Type expectType();

  /// `.align 8 .v4 .b32 name[2][3]`
  Declarator declarator();

  /// `.ptr .global .align 16` of a parameter.
  void pointerAttributes();
  Symbol &declare(const Token &name, Symbol symbol);

  /// .global .const .shared, at module or function level.
  void variable(bool isExtern);
  void variableNamed(std::string_view space, const Declarator &d, bool isExtern);
  void initializer(Variable &v, const Declarator &d);
  void initialElement(Variable &v, Type type, unsigned bytes);
  void symbolElement(Variable &v, unsigned bytes, uint64_t mask);

  //===-- Functions --------------------------------------------------------------------------------------------------

  void function(bool entry, bool isExtern);
  uint32_t declareFunction(const Token &name, Function f, bool defined, bool entry);
  void parameters(Function &f, std::vector<Parameter> &list);
  uint32_t place(uint32_t &end, const Declarator &d);
  void directives(Function &f);
  void triple(std::array<uint32_t, 3> &dims);

  /// The statements between the braces; the opening one is taken.
  void body(uint32_t index);

  //===-- Statements -------------------------------------------------------------------------------------------------

  void statement();
  void directive();
  void frameVariable(const char *);
  void registers();
  void label();
  void branchTargets(const Token &name);

  /// Resolves what can be resolved and hands the rest to the scope around. `bottom` is never popped below.
  void closeBlock(size_t bottom);

  //===-- Instructions -----------------------------------------------------------------------------------------------

  void instruction();
  void emit(Op &op, std::string_view text, const std::vector<Operand> &operands, const Token &mnemonic);

  /// The name and modifiers; a copy only if blanks stand between them.
  std::string_view formText(const Token &word);
  Operand operand();
  Operand simple();

  /// "+8", "-8", "+-8"; several add up.
  int64_t displacement();
  Operand vector();
  Operand address();

  //===-- Calls ------------------------------------------------------------------------------------------------------

  struct PendingCall {
    uint32_t site;
    Token name;
    std::vector<Symbol> arguments, results;
  };
  void call(Op &op, std::string_view text, const Token &mnemonic);
  std::vector<Symbol> callList();
  void resolveCall(const PendingCall &call);
  static std::string hint(std::string_view name);

  //===-- Names ------------------------------------------------------------------------------------------------------

  const Symbol *find(std::string_view name) const;
  int32_t newRegister(std::string_view name, Type type);
  const Symbol *lookup(std::string_view name) override;

  //===-- The end ----------------------------------------------------------------------------------------------------

  void finish();

  /// Gives the shared variables their window offsets, function by function.
  void placeShared();
  void placeStatics(Function &function, const std::vector<bool> &which, const std::vector<bool> &everywhere,
                    std::vector<uint32_t> &offsets, bool common);
  void placeDynamic(Function &function, const std::vector<bool> &used, std::vector<uint32_t> &offsets, uint32_t end,
                    uint32_t align);
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

} // namespace attn::sim
