// SPDX-License-Identifier: Apache-2.0
// Score and mask functions as the interpreter runs them: compiled once to straight-line code over numbered slots, so
// that asking about a pair of query and key walks no IR.
#pragma once

#include "compiler/ListSets.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

#include <string>
#include <variant>

namespace mlir {
class Operation;
class Value;
namespace func {
class FuncOp;
}
} // namespace mlir

namespace attn {

/// A number while a function runs. Integers are sign-extended from their width (so true is -1); floats of every type
/// are held as a double, which represents them all.
union Slot {
  int64_t i;
  double f;
};

enum class Opcode : uint8_t {
#define ATTN_REAL(code, name, operands, expression) code,
#define ATTN_TEST(code, name, expression) code,
#define ATTN_SIGNED(code, name, operands, expression) code,
#define ATTN_UNSIGNED(code, name, operands, expression) code,
#define ATTN_DIVIDE(code, name, expression) code,
#define ATTN_UDIVIDE(code, name, expression) code,
#include "compiler/FunctionOps.def"
  // What does not fit the table: operands of several types, several results, or a tensor.
  CmpI,
  CmpF,
  Select,
  SignExtend, ///< to a smaller or larger width, from `fromWidth` bits
  ZeroExtend,
  ExtF,
  TruncF,
  SIToFP,
  UIToFP,
  FPToSI,
  FPToUI,
  RealToBits,
  BitsToReal,
  MulHighSigned, ///< upper half of a product
  MulHighUnsigned,
  Carry, ///< i1: whether the unsigned sum overflows
  FPowI,
  IPowI,
  Load,
  Member,
};

struct FunctionInstruction {
  Opcode code = Opcode::Select;
  DType real = DType::F32;      ///< float type of the result, where it is a float
  uint8_t width = 64;           ///< bits of an integer result
  uint8_t fromWidth = 64;       ///< bits of an integer operand
  uint8_t predicate = 0;        ///< of CmpI and CmpF, as in MLIR
  uint32_t to = 0;              ///< slot of the result
  uint32_t a = 0, b = 0, c = 0; ///< slots of the operands; Load, Member: tensor or list, first of its indices (Member:
                                ///< of the row, with the number asked for before it), number of them
  uint32_t source = 0;          ///< which operation of the text this was
};

/// Why a function has no value for a pair.
struct FunctionFailure {
  uint32_t instruction = 0;
  std::vector<int64_t> index; ///< of a load or of a row of a list, else empty
};

/// What the numbers are computed in. Exact: every float as a double. Otherwise each operation in its own type, f16 and
/// bf16 in f32 and then rounded, as the kernel does. A truncf to f16 or bf16 rounds in both: rounding is what it says.
enum class Arithmetic { Exact, Own };

/// A function, its calls put in place, its parameters bound.
class FunctionProgram {
public:
  /// Slots that the caller fills before a run.
  enum Input : uint32_t { Score, Batch, Head, Query, Key, Row, Column, NumInputs };

  struct Source {
    std::string operation, function, location;
  };
  using BoundTensor = NamedTensor;

  /// Slots with all constants in place: one frame per caller, used again and again.
  std::vector<Slot> frame() const { return slots; }

  /// Fills the slots of a frame in order. False: there is no value, and `failure` says why.
  template <Arithmetic A> bool run(Slot *frame, FunctionFailure &failure) const;

  uint32_t resultSlot() const { return result; }

  /// "FILE:LINE:COLUMN: 'arith.divsi' op in @f expects a divisor other than 0"
  std::string describe(const FunctionFailure &failure) const;

private:
  friend class FunctionCompiler;
  /// One instruction. False: there is no value.
  template <Arithmetic A> bool step(const FunctionInstruction &in, Slot *frame, FunctionFailure &failure) const;
  bool load(const FunctionInstruction &instruction, Slot *frame, FunctionFailure &failure) const;
  bool member(const FunctionInstruction &instruction, Slot *frame, FunctionFailure &failure) const;

  std::vector<FunctionInstruction> code;
  std::vector<Slot> slots;
  std::vector<uint32_t> indices; ///< slots of the indices of loads and rows
  std::vector<BoundTensor> tensors;
  std::vector<ListSets> lists;
  std::vector<Source> sources;
  uint32_t result = 0;
};

/// What a parameter of a function is: a number, or a tensor with the name that messages give it.
using FunctionParameter = std::variant<Slot, FunctionProgram::BoundTensor>;

/// Compiles a score function (score, b, h, q, kv, parameters...) or a mask function (the same without score). Errors:
/// an operation that is not known, by name and place; functions that call themselves; a callee that is not there.
llvm::Expected<FunctionProgram> compileFunction(mlir::func::FuncOp function, bool takesScore,
                                                llvm::ArrayRef<FunctionParameter> parameters);

/// Results of one arithmetic operation on numbers, with the same code.
llvm::Expected<std::vector<Slot>> evaluateScalars(mlir::Operation *operation, Arithmetic arithmetic,
                                                  llvm::function_ref<Slot(mlir::Value)> operand);

/// The place of an operation for a message, "FILE:LINE:COLUMN: ", or empty when it has none.
std::string placeOf(mlir::Operation *operation);

} // namespace attn
