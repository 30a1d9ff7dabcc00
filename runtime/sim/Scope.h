// SPDX-License-Identifier: Apache-2.0
// What the parser knows while it reads: symbols in nested scopes, operands as written, and what is to be patched later.
#pragma once

#include "runtime/sim/Form.h"
#include "runtime/sim/Lexer.h"
#include "runtime/sim/Module.h"

#include <string_view>
#include <unordered_map>
#include <vector>

namespace attn::sim {

/// An operand as written; one level of nesting at most.
struct Operand {
  enum Kind : uint8_t { Name, Integer, Float32, Float64, Vector, Address, Pair };
  Kind kind = Name;
  Token token;             // where it starts; of a Name its text
  std::string_view suffix; // ".x" of "%tid.x"
  bool negated = false;    // `!`
  bool hasOffset = false;
  int64_t offset = 0;            // "symbol+4"; of an address its displacement
  uint64_t value = 0;            // of a number; sign applied
  std::vector<Operand> elements; // of a vector or pair; of an address its base, then coordinates
  bool hasCoordinates = false;
  bool isSink() const { return kind == Name && token.text == "_"; }
};

struct Symbol {
  enum Kind : uint8_t { Register, Shared, Variable, Frame, EntryParameter, Function };
  Kind kind = Register;
  Type type = Type::None;
  int32_t row = -1;    // of a register, once used
  uint32_t index = 0;  // in sharedDeclarations, Module::variables, Module::functions
  uint32_t offset = 0; // in the frame or parameter space
  uint32_t size = 0;
};

/// `.reg .b32 %r<8>;`
struct RegisterRange {
  std::string_view prefix;
  Type type = Type::None;
  uint32_t count = 0;
  std::unordered_map<uint32_t, int32_t> rows; // of those that are used
};

/// A label used before all labels of the scope are known.
struct PendingLabel {
  std::string_view name;
  Token token;
  uint32_t op = 0;          // Op::imm of it, or
  int32_t branchTable = -1; // the element of a branch table
  uint32_t element = 0;
  bool wantsTable = false;
};

/// What is declared between one pair of braces.
struct Block {
  std::unordered_map<std::string_view, Symbol> symbols;
  std::vector<RegisterRange> ranges;
  std::unordered_map<std::string_view, uint32_t> labels, tables;
  std::vector<PendingLabel> pending;
};

/// A shared variable before it has a place.
struct SharedDeclaration {
  std::string name;
  uint32_t size = 0, align = 1;
  bool dynamic = false;
  uint32_t line = 0;
};

/// A place that holds the address of a shared variable: Op::imm (slot 0..2) of an instruction, or a constant.
struct SharedFixup {
  uint32_t function = 0, variable = 0;
  int64_t addend = 0;
  uint32_t op = 0;
  int slot = -1; // -1: the constant
  Row constant = kNoRow;
  bool wide = false;
};

/// Finds the meaning of names while operands are bound.
class Names {
public:
  virtual ~Names() = default;
  /// Null if nothing has the name. Registers come back with their row.
  virtual const Symbol *lookup(std::string_view name) = 0;
};

/// Special register by name and suffix, e.g. "%tid" ".x"; false if there is none. `wide`: it has 64 bits.
bool findSpecial(std::string_view name, std::string_view suffix, Special &special, bool &wide);

/// Binds operands to the pattern of a table row.
class Binder {
public:
  Binder(Module &module, Names &names) : module(module), names(names) {}

  /// Decodes one instruction of `function` into `op` (guard and line are the caller's). On failure returns false with
  /// the message and the token it is about.
  bool bind(const std::vector<Candidate> &candidates, const std::vector<Operand> &operands, uint32_t function,
            const Token &mnemonic, Op &op, std::string &message, Token &where);

  std::vector<SharedFixup> fixups;
  /// Of the instruction bound last: its label operand, if it has one.
  const Operand *label = nullptr;
  bool labelIsTable = false;

private:
  struct Attempt;
  bool tryBind(const Candidate &candidate, const std::vector<Operand> &operands, Attempt &attempt);
  bool bindItem(const OperandItem &item, const Operand &operand, Attempt &attempt);
  bool bindScalar(const Operand &operand, Type type, char letter, bool constant, bool sink, Attempt &attempt);
  bool bindSource(const Operand &operand, Type type, bool constant, int32_t &row, uint8_t negateBit, Attempt &attempt);
  bool bindDestination(const Operand &operand, Type type, bool sink, int32_t &row, Attempt &attempt);
  bool bindNumber(const Operand &operand, Type type, int32_t &row, Attempt &attempt);
  bool bindSymbol(const Operand &operand, const Symbol &symbol, Type type, int32_t &row, Attempt &attempt);
  bool bindVector(const OperandItem &item, const Operand &operand, Attempt &attempt);
  bool bindAddress(const OperandItem &item, const Operand &operand, Attempt &attempt);
  bool checkSpace(const Operand &operand, const Symbol &symbol, Attempt &attempt);
  bool registerFits(const Symbol &symbol, Type type, const Attempt &attempt, bool destination) const;
  bool fail(Attempt &attempt, const Token &where, std::string message);
  const Form *intern(const Form &form);
  void commit(Attempt &attempt, Op &op);

  Module &module;
  Names &names;
  uint32_t function = 0;
  std::unordered_map<std::string, const Form *> interned;
};

} // namespace attn::sim
